from browser import PASSWORD, expect, fill_in, sign_in, threat


def test_a_user_is_made_changed_and_removed(site, signed_in):
    page = signed_in("settings/users")
    form = page.locator("form.add")
    form.get_by_label("Username").fill("dana")
    form.get_by_label("Password").fill("short")
    form.get_by_role("button", name="Add").click()
    expect(form.locator(".wrong")).to_be_visible()
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_role("button", name="Add").click()
    row = page.locator("tr", has_text="dana")
    expect(row).to_be_visible()
    page.get_by_label("Role dana").select_option("viewer")
    expect(page.get_by_text("Saved.").first).to_be_visible()
    row.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, remove").click()
    expect(row).to_have_count(0)


def test_a_disabled_user_is_out_at_once(site, signed_in, chromium):
    page = signed_in("settings/users")
    context = chromium.new_context()
    other = sign_in(context.new_page(), site, user="viewer")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="viewer", exact=True))
    row.get_by_role("button", name="Disable").click()
    expect(other.get_by_label("Username")).to_be_visible()
    row.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("disabled", exact=True)).to_have_count(0)
    fill_in(other, "viewer")
    expect(other.locator(".connection")).to_have_attribute("data-phase", "live")
    context.close()


def test_a_key_is_shown_once(site, signed_in):
    page = signed_in("settings/keys")
    page.locator("form.add").get_by_label("Name").fill("firewall")
    page.locator("form.add").get_by_label("May").select_option("feed")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".secret")).to_contain_text("tlk_")
    page.reload()
    expect(page.locator("tr", has_text="firewall")).to_be_visible()
    expect(page.locator(".secret")).to_have_count(0)


def test_what_was_done_stands_in_the_audit_log(site, signed_in):
    page = signed_in("settings/audit")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_label("Action").fill("user_created")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr").filter(has_text="user_created").first).to_be_visible()
    expect(page.locator("tbody tr").filter(has_text="login")).to_have_count(0)


def test_an_analyst_sees_no_admin_rooms(site, signed_in):
    page = signed_in("settings", user="analyst")
    rooms = page.get_by_role("navigation", name="Settings")
    expect(rooms.get_by_role("link", name="Suppressions")).to_be_visible()
    for name in ("Users", "API keys", "Audit log", "Danger"):
        expect(rooms.get_by_role("link", name=name)).to_have_count(0)


def test_all_threats_are_removed_only_after_a_question(site, signed_in):
    site.send(threat(1), threat(2))
    page = signed_in("settings/clear")
    page.get_by_role("button", name="Remove all threats").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, remove").click()
    expect(page.locator(".notice")).to_contain_text("2 threats removed.")
    page.goto(f"{site.url}/#/live")
    expect(page.get_by_text("No threats yet")).to_be_visible()
    expect(page.locator("[data-stat=total]")).to_have_text("0")
