"""Answers, events and keys that overtake one another. The parts of the page are driven by hand where their order matters, so
that no clock decides it: LATE gives actions and a store of their own, and every question that is asked of the server waits."""
import pytest

from browser import expect, sign_in, threat
from sites import wait_for

LATE = """async (play) => {
  const part = (name) => import(`/js/${name}.js`);
  const [{ createActions }, { createStore }, { initial, reduce }] = [await part("actions"), await part("store"), await part("state")];
  const asked = [];
  window.fetch = (url, { method }) => new Promise((done) => asked.push({ url, method,
    answer: (body, status = 200) => done(new Response(JSON.stringify({ success: status < 400, ...body }), { status })) }));
  const store = createStore(reduce, initial);
  const nothing = () => {};
  const actions = createActions(store, () => ({ start: nothing, stop: nothing, leave: nothing, retryNow: nothing }));
  const known = (n, status = "new", version = 0) => ({ threat_id: `t${n}`, seq: n, severity: "low", receivedAt: `2026-01-01T00:00:0${n}Z`, triage: { status, version } });
  const event = (n, type, data) => store.dispatch({ type: "events", events: [{ id: `s.${n}`, type, data }] });
  const ids = (list) => list.map((t) => t.threat_id).join(" ");
  const until = async (what) => { while (!what()) await new Promise((then) => setTimeout(then)); };
  const never = new Promise((_, fail) => setTimeout(fail, 30000, new Error("an answer is still waited for")));
  return Promise.race([never, (%s)({ actions, store, asked, known, event, ids, until })]);
}"""


@pytest.fixture
def play(tab, fake):
    tab.goto(fake.url)
    expect(tab.get_by_label("Username")).to_be_visible()
    return lambda script: tab.evaluate(LATE % script)


@pytest.mark.parametrize("load, answer, shown", [
    ("loadStatus", "{ monitoring: n }", "monitor.value.monitoring"),
    ("loadSensors", "{ sensors: n }", "sensors.items"),
    ("loadInterfaces", "{ interfaces: n }", "interfaces.items"),
    ("loadCharts", "{ statistics: { total: n } }", "charts.value.total"),
    ("loadStatistics", "{ statistics: { total: n } }", "statistics.value.total"),
])
def test_of_two_answers_the_later_questions_holds(play, load, answer, shown):
    assert play(f"""async ({{ actions, store, asked }}) => {{
      const answer = (n) => ({answer});
      const [first, second] = [actions.{load}(), actions.{load}()];
      asked[1].answer(answer(2));
      await second;
      asked[0].answer(answer(1));
      await first;
      return store.get().{shown};
    }}""") == 2


def test_figures_that_changes_have_overtaken_are_asked_for_again_and_do_not_run_backwards(play):
    assert play("""async ({ actions, store, asked, known, event }) => {
      const total = () => store.get().statistics.value.total;
      const told = async (n, meanwhile = () => {}) => {
        const question = actions.loadStatistics();
        meanwhile();
        asked.at(-1).answer({ statistics: { total: n } });
        await question;
        return [total(), store.get().statistics.changes > store.get().statistics.counted];
      };
      let n = 0;
      const one = () => event(n += 1, "threat_detected", known(n));
      return [await told(10), await told(10, one), await told(11, one), await told(11, one), await told(14)];
    }""") == [[10, False], [11, True], [12, True], [11, True], [14, False]], "the third is taken all the same: something may always come"


def test_two_answers_do_not_count_the_same_changes_twice(play):
    assert play("""async ({ actions, store, asked, known, event }) => {
      for (const n of [1, 2, 3]) event(n, "threat_detected", known(n));
      const [first, second] = [actions.loadStatistics(), actions.loadStatistics()];
      asked[0].answer({ statistics: { total: 3 } });
      await first;
      for (const n of [4, 5]) event(n, "threat_detected", known(n));
      asked[1].answer({ statistics: { total: 3 } });
      await second;
      return [store.get().statistics.value.total, store.get().statistics.changes > store.get().statistics.counted];
    }""") == [5, True]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_list_is_that_of_the_last_question(play, order):
    assert play(f"""async ({{ actions, store, asked, known, event, ids }}) => {{
      const load = () => actions.loadList("inbox", {{ status: "new" }}, {{ status: "new", takesNew: true }});
      const questions = [load(), load()];
      const threats = [[known(1)], [known(2), known(1)]];
      for (const i of {order}) {{
        asked[i].answer({{ threats: threats[i] }});
        await questions[i];
      }}
      return ids(store.get().lists.inbox.items);
    }}""") == "t2 t1"


def test_a_page_that_was_asked_for_before_the_list_began_anew_leaves_no_hole_in_it(play):
    assert play("""async ({ actions, store, asked, known, ids }) => {
      const load = (append) => actions.loadList("history", { q: "" }, { append });
      const first = load(false);
      asked[0].answer({ threats: [known(6), known(5)], next: "5" });
      await first;
      const [older, anew, meanwhile] = [load(true), load(false), load(true)];
      asked[1].answer({ threats: [known(4), known(3)], next: "3" });
      asked[2].answer({ threats: [known(8), known(7)], next: "7" });
      await Promise.all([older, anew, meanwhile]);
      const { items, next } = store.get().lists.history;
      return [ids(items), next, asked.length];
    }""") == ["t8 t7", "7", 3]


@pytest.mark.parametrize("late", ["live", "inbox"])
@pytest.mark.parametrize("change, left", [("""event(3, "threat_updated", known(1, "closed", 1))""", "t2"), ("""event(3, "threats_removed", { ids: ["t1"] })""", "t2")])
def test_an_answer_of_before_does_not_bring_back_what_left_the_inbox(play, late, change, left):
    """Whether the list is loading at that time or not."""
    ask = "actions.loadLive()" if late == "live" else """actions.loadList("inbox", { status: "new" }, { status: "new", takesNew: true })"""
    assert play(f"""async ({{ actions, store, asked, known, event, ids }}) => {{
      const list = actions.loadList("inbox", {{ status: "new" }}, {{ status: "new", takesNew: true }});
      asked[0].answer({{ threats: [known(2), known(1)] }});
      await list;
      {change};
      const late = {ask};
      asked[1].answer({{ threats: [known(2), known(1)] }});
      await late;
      return ids(store.get().lists.inbox.items);
    }}""") == left


def test_what_was_removed_and_is_stored_again_is_there_again(play):
    assert play("""async ({ store, known, event, ids }) => {
      event(1, "threat_detected", known(1));
      event(2, "threats_removed", { ids: ["t1"] });
      event(3, "threat_detected", known(1));
      return [ids(store.get().live.items), store.get().arrivals.count];
    }""") == ["t1", 2]


def test_no_answer_outlives_its_session(play):
    assert play("""async ({ actions, store, asked, until }) => {
      const answer = async (what, body, status) => {
        await until(() => asked.some((o) => o.url.includes(what) && !o.done));
        const one = asked.find((o) => o.url.includes(what) && !o.done);
        one.done = true;
        one.answer(body, status);
      };
      const signIn = (username) => Promise.all([actions.login(username, "x"), answer("/auth/login", { user: { username, role: "viewer" } })]);
      await signIn("one");
      const [old, refused] = [actions.loadSensors(), actions.loadInterfaces()];
      const [sensors, interfaces] = [asked.filter((o) => o.url.endsWith("/sensors")).at(-1), asked.filter((o) => o.url.endsWith("/interfaces")).at(-1)];
      await Promise.all([actions.logout(), answer("/auth/logout", {})]);
      await signIn("two");
      sensors.answer({ sensors: ["of before"] });
      interfaces.answer({}, 401);
      await Promise.all([old, refused]);
      const { session, sensors: { items } } = store.get();
      return [session.phase, session.user.username, items];
    }""") == ["in", "two", None]


def test_two_undos_go_one_after_the_other(play):
    assert play("""async ({ actions, store, asked, until }) => {
      const undone = [actions.restore(new Map([["t1", "closed"]])), actions.restore(new Map([["t1", "new"]]))];
      await until(() => asked.length);
      await new Promise((then) => setTimeout(then));
      const first = asked.length;
      asked[0].answer({ changed: 1 });
      await until(() => asked.length === 2);
      asked[1].answer({ changed: 1 });
      await Promise.all(undone);
      return first;
    }""") == 1


def test_a_tab_that_hears_late_of_the_end_of_a_session_does_not_end_the_next_one(tab, site):
    """The tabs share one stream; one that leaves says so for itself alone."""
    sign_in(tab, site)
    assert tab.evaluate("""async () => {
      const { createLink } = await import("/js/link.js");
      const heard = [];
      const tab = (name) => createLink({ onEvents: () => {}, onJoined: () => {}, onStatus: ({ phase }) => heard.push(`${name} ${phase}`) });
      const [late, other] = [tab("late"), tab("other")];
      const live = async (name) => { while (!heard.includes(`${name} live`)) await new Promise((then) => setTimeout(then, 5)); };
      late.start();
      other.start();
      await Promise.all([live("late"), live("other")]);
      late.leave();
      const third = tab("third"); // its word comes after that of the one that left
      third.start();
      await live("third");
      return heard.filter((word) => word.endsWith("ended"));
    }""") == []


def test_keys_faster_than_the_page_draws_mean_the_rows_they_would_have_met(site, signed_in):
    site.send(*(threat(n) for n in range(1, 6)))
    page = signed_in("inbox")
    expect(page.locator("tbody tr[data-id]")).to_have_count(5)
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000005")
    page.evaluate("""for (const key of ["a", "j", "e", "c", "x"]) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))""")
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000001")
    expect(page.get_by_text("1 selected")).to_be_visible()
    wait_for(lambda: site.states() == {"threat_000005": "acknowledged", "threat_000004": "new", "threat_000003": "escalated",
                                       "threat_000002": "closed", "threat_000001": "new"})
    expect(page.get_by_role("alert")).to_have_count(0)
