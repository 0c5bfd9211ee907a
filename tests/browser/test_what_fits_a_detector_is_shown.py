"""A real detector behind a real backend: its budget, drift, learning and shadow reach the statistics and the page."""
import re

import pytest
from browser import expect, sign_in
from programs import ROOT
from sites import site_with_detector, wait_for


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    wishes = ["--false-alarms", "5000/day", "--learn", "24h", "--shadow", ROOT / "models"]
    with site_with_detector(tmp_path_factory.mktemp("fitted"), "simulator", "local", wishes) as (site, _):
        yield site


def test_the_panel_of_models_tells_what_is_expected_and_reached(fitted, tab):
    def told():
        models = fitted.api("GET", "/api/network/statistics").json()["statistics"]["models"]
        return (models or {}).get("local")

    local = wait_for(told, 60)
    assert local["false_alarms"]["wanted"] == 5000 and local["false_alarms"]["expected"] <= 5000
    assert local["shadow"]["model"] == local["model"]
    page = sign_in(tab, fitted, "sensors")
    panel = page.locator("section", has=page.get_by_role("heading", name="Models"))
    for name, value in (("False alarms a day, wanted", "5,000"), ("Expected at most", None), ("Reached", "not known yet"),
                        ("Greatest drift", "too few flows to tell"), ("Learning", "0 of 24 hours"), ("Shadow model", local["model"]), ("Differs on", re.compile(r"^\d+ of \d+ flows"))):
        fact = panel.locator("dt", has_text=name).first
        expect(fact).to_be_visible(timeout=30000)
        if value is not None:
            expect(fact.locator("xpath=following-sibling::dd[1]")).to_contain_text(value)
    differ, of = (int(n.replace(",", "")) for n in re.findall(r"[\d,]+", fact.locator("xpath=following-sibling::dd[1]").inner_text()))
    shadow = told()["shadow"]  # a report later or the same one: both counts only grow
    assert differ <= shadow["only_model"] + shadow["only_shadow"] and of <= sum(shadow[kind] for kind in ("both", "neither", "only_model", "only_shadow"))
    beat = wait_for(lambda: next((s["report"] for s in fitted.api("GET", "/api/network/sensors").json()["sensors"]
                                  if "false_alarms_expected" in s["report"]), None), 60)
    assert beat["false_alarms_wanted"] == 5000 and beat["false_alarms_reached"] is None
