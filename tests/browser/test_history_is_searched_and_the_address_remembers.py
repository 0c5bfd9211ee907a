import csv
import json
import pathlib
import re

import pytest

from browser import expect, sign_in, threat, visit


def rows(page):
    return page.locator(".view-history tbody tr[data-id]")


def fill(site, many=250):
    for start in range(0, many, 125):
        site.send(*(threat(n + 1, threat_type=["port_scan", "malware"][n % 2]) for n in range(start, min(many, start + 125))))


def test_a_query_is_asked_shown_and_kept_over_a_reload(site, signed_in):
    fill(site, 40)
    page = signed_in("history")
    expect(rows(page)).to_have_count(40)
    page.locator("#query").fill("type:malware")
    page.keyboard.press("Enter")
    expect(page.get_by_text("20 threats")).to_be_visible()
    expect(page).to_have_url(re.compile("q=type%3Amalware"))
    page.reload()
    expect(rows(page)).to_have_count(20)
    expect(page.locator("#query")).to_have_value("type:malware")
    page.go_back()
    expect(rows(page)).to_have_count(40)


def test_older_pages_come_while_scrolling(site, signed_in):
    fill(site)
    page = signed_in("history")
    expect(rows(page)).to_have_count(100)
    rows(page).last.scroll_into_view_if_needed()
    expect(rows(page)).to_have_count(200)
    rows(page).last.scroll_into_view_if_needed()
    expect(rows(page)).to_have_count(250)
    expect(page.get_by_text("That is all.")).to_be_attached()


def test_a_wrong_query_points_at_the_character(site, signed_in):
    page = signed_in("history")
    page.locator("#query").fill("type:malware colour:red")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("(at character 14)")
    expect(page.locator("mark")).to_have_text("c")
    expect(page.locator("#query")).to_have_attribute("aria-invalid", "true")


def test_a_wrong_query_is_told_which_fields_there_are_and_each_of_them_is_known(site, signed_in):
    site.send(threat(1))
    page = signed_in("history?q=colour:red")
    told = page.get_by_text("Fields:").text_content().removeprefix("Fields:").split()
    assert len(told) > 10
    value = {"port:": "80", "source_port:": "80", "destination_port:": "80", "confidence:": ">0.5", "time:": ">2026-01-01", "source:": "10.0.0.0/8", "destination:": "10.0.0.1",
             "address:": "10.0.0.1", "severity:": "low", "status:": "new", "verdict:": "true_positive", "is:": "simulated"}
    for name in told:
        answer = site.api("GET", f"/api/network/threats?q={name}{value.get(name, 'x')}")
        assert answer.status_code == 200, answer.text


def test_nothing_found_says_how_to_look_further_and_offers_no_empty_file(site, signed_in):
    site.send(threat(1, threat_type="malware", timestamp="2025-12-30T10:00:00Z"))
    page = signed_in("history?q=type:port_scan&range=1h")
    expect(page.get_by_text("No threat fits this search.")).to_be_visible()
    expect(page.get_by_text("Suppressed threats are found with is:suppressed.")).to_be_visible()
    expect(page.locator(".exports")).to_be_hidden()
    page.get_by_role("button", name="Search all time").click()
    expect(page.get_by_label("Time range")).to_have_value("")
    expect(page.get_by_role("button", name="Search all time")).to_have_count(0)
    page.get_by_role("button", name="Clear the search").click()
    expect(rows(page)).to_have_count(1)
    expect(page.locator(".exports")).to_be_visible()


def test_arrivals_are_counted_but_do_not_push_the_list(site, signed_in):
    fill(site, 10)
    page = signed_in("history")
    expect(rows(page)).to_have_count(10)
    site.send(threat(900), threat(901))
    page.get_by_role("button", name="2 arrived since this search").click()
    expect(rows(page)).to_have_count(12)


def test_facets_narrow_and_columns_are_chosen(site, signed_in):
    fill(site, 10)
    page = signed_in("history")
    page.locator(".facet", has_text="MALWARE").click()
    expect(rows(page)).to_have_count(5)
    page.get_by_text("Columns", exact=True).click()
    page.locator(".menu").get_by_label("Protocol").check()
    expect(page.get_by_role("columnheader", name="Protocol")).to_be_visible()
    page.reload()
    expect(page.get_by_role("columnheader", name="Protocol")).to_be_visible()


@pytest.mark.parametrize("kind", ["CSV", "NDJSON", "EVE"])
def test_the_export_holds_the_threats_of_the_search(site, signed_in, kind):
    fill(site, 4)
    page = signed_in("history?q=type:malware&range=24h")
    expect(rows(page)).to_have_count(2)
    with page.expect_download() as coming:
        page.get_by_role("link", name=kind, exact=True).click()
    text = pathlib.Path(coming.value.path()).read_text()
    assert coming.value.suggested_filename == {"CSV": "threats.csv", "NDJSON": "threats.ndjson", "EVE": "threats-eve.json"}[kind]
    if kind == "CSV":
        found = {row["threat_type"] for row in csv.DictReader(text.splitlines())}
    else:
        found = {(o.get("threat_type") or o["alert"]["signature"]) for o in map(json.loads, text.splitlines())}
    assert len(text.strip().splitlines()) == (3 if kind == "CSV" else 2)
    assert all("malware" in kind_of.lower() for kind_of in found), found


def test_a_search_is_saved_by_name_for_its_user_on_any_browser(site, signed_in, chromium):
    fill(site, 4)
    page = signed_in("history?q=type:malware", user="viewer")
    page.get_by_text("Saved searches").click()
    page.get_by_role("button", name="Save search").click()
    expect(page.locator(".menu-body .wrong")).to_contain_text("a text of 1 to")
    page.get_by_label("Name").fill("bad software")
    page.get_by_role("button", name="Save search").click()
    expect(page.get_by_role("button", name="bad software", exact=True)).to_be_visible()
    context = chromium.new_context()
    page = sign_in(context.new_page(), site, "history", user="viewer")
    expect(rows(page)).to_have_count(4)
    page.get_by_text("Saved searches").click()
    page.get_by_role("button", name="bad software", exact=True).click()
    expect(rows(page)).to_have_count(2)
    page.get_by_text("Saved searches").click()
    page.get_by_role("button", name="Remove bad software").click()
    expect(page.get_by_role("button", name="bad software", exact=True)).to_have_count(0)
    assert site.api("GET", "/api/searches", user="viewer").json()["searches"] == []
    context.close()


def test_the_counts_of_facets_say_what_they_count(site, signed_in):
    fill(site, 130)
    page = signed_in("history")
    expect(rows(page)).to_have_count(100)
    expect(page.locator(".facets")).to_contain_text("Narrow by (counted in the 100 rows loaded)")
    rows(page).last.scroll_into_view_if_needed()
    expect(rows(page)).to_have_count(130)
    expect(page.locator(".facets > span")).to_have_text("Narrow by")
    expect(page.locator(".facet", has_text="MALWARE")).to_contain_text("65")


def test_a_nul_in_a_query_is_pointed_at(site, signed_in):
    fill(site, 4)
    page = signed_in("history")
    expect(rows(page)).to_have_count(4)
    visit(page, site, "history?q=type:a%00b")
    expect(page.get_by_role("alert")).to_contain_text("a text without NUL characters (at character 7)")
    expect(rows(page)).to_have_count(0)


def test_words_are_completed_and_a_span_is_picked(site, signed_in):
    site.send(threat(1, timestamp="2026-01-01T10:00:00Z"), threat(2, timestamp="2026-01-02T10:00:00Z"), threat(3, threat_type="exotic_kind"))
    page = signed_in("history")
    expect(rows(page)).to_have_count(3)
    expect(page.locator(".rail-count:visible")).to_have_text("3")  # what types there are stands in the same answer
    page.locator("#query").press_sequentially("severity:high -type:exo")
    assert page.locator("#query-words option").evaluate_all("(list) => list.map((o) => o.value)") == ["severity:high -type:exotic_kind"]
    page.locator("#query").fill("")
    page.get_by_label("Time range").select_option("custom")
    page.get_by_label("From", exact=True).fill("2026-01-01T00:00:00")
    page.get_by_label("To", exact=True).fill("2026-01-01T23:59:59")
    page.locator(".span").get_by_role("button", name="Search").click()
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("from=2026-01-01T00"))
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Time range").select_option("24h")
    expect(page.locator("tr[data-id=threat_000003]")).to_be_visible()
    expect(rows(page)).to_have_count(1)
