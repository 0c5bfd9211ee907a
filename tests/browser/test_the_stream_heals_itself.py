from browser import expect, sign_in, threat

PHASE = ".connection"


def test_what_came_while_the_stream_was_cut_is_not_lost(site, signed_in):
    page = signed_in()
    site.send(threat(1))
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    site.away()
    expect(page.locator(PHASE)).to_contain_text("Retrying in")
    expect(page.get_by_text("What you see may be out of date")).to_be_visible()
    site.back()
    site.send(threat(2), threat(3))
    expect(page.locator(PHASE)).to_have_attribute("data-phase", "live")
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)
    expect(page.locator("[data-stat=total]")).to_have_text("3")


def test_a_gap_reloads_the_history(tab, fake):
    page = sign_in(tab, fake)
    fake.send(threat(1))
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    fake.test("cut")
    fake.send(threat(2), threat(3))
    fake.test("forget")
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)
    expect(page.locator("[data-stat=total]")).to_have_text("3")


def test_two_tabs_share_one_connection(tab, site):
    sign_in(tab, site)
    other = tab.context.new_page()
    other.goto(site.url)
    expect(other.locator(PHASE)).to_have_attribute("data-phase", "live")
    assert site.streams() == 1
    site.send(threat(1))
    for page in (tab, other):
        expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    tab.close()
    site.send(threat(2))
    expect(other.locator("tbody tr[data-id]")).to_have_count(2)


def test_a_failed_history_can_be_tried_again(tab, fake):
    fake.send(threat(1))
    fake.test("set", broken=["/api/network/threats/history"])
    sign_in(tab, fake)
    expect(tab.get_by_text("The latest threats could not be loaded.")).to_be_visible()
    fake.test("set", broken=[])
    tab.get_by_role("button", name="Try again").click()
    expect(tab.locator("tbody tr[data-id]")).to_have_count(1)
