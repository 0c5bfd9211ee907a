import pathlib

import pytest

import crafted
from browser import expect, sign_in, visit
from sites import site_with_detector, wait_for


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A backend with a detector that watches nothing by itself."""
    with site_with_detector(tmp_path_factory.mktemp("watched")) as (site, _):
        yield site


def test_a_scan_in_a_file_is_found_and_shown(tab, watched, tmp_path):
    capture = crafted.write_pcap(tmp_path / "scan.pcap", crafted.scan())
    page = sign_in(tab, watched, "uploads")
    expect(page.get_by_text("No file has been read yet.")).to_be_visible()
    expect(page.get_by_text("cannot be read now")).to_be_hidden()
    page.locator("#capture").set_input_files(capture)
    expect(page.locator(".said-now")).to_have_text("scan.pcap: 1 threat found.")
    page.get_by_role("link", name="Show threats").click()
    row = page.locator(".view-history tbody tr[data-id]")
    expect(row).to_contain_text("PORT_SCAN")
    expect(row).to_contain_text("10.1.1.9")
    row.locator(".row-open").click()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download packets (pcap)").click()
    kept = pathlib.Path(coming.value.path()).read_bytes()
    assert coming.value.suggested_filename.endswith(".pcap") and kept[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") and len(kept) > 100


def test_a_harmless_file_is_told_to_have_nothing(tab, watched, tmp_path):
    calm = [(1_700_000_000 + n, crafted.udp("10.1.1.2", "10.1.1.3", 5000, 53, b"x" * 30)) for n in range(3)]
    page = sign_in(tab, watched, "uploads")
    dropped = page.evaluate_handle("""(bytes) => {
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(bytes)], "calm.pcap"));
      return held;
    }""", list(pathlib.Path(crafted.write_pcap(tmp_path / "calm.pcap", calm)).read_bytes()))
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    expect(page.locator(".said-now")).to_have_text("calm.pcap: read to the end, nothing found.")
    expect(page.locator("tr", has_text="calm.pcap")).to_contain_text("Nothing found")


def test_what_is_no_capture_is_refused_in_words(tab, watched, tmp_path):
    (tmp_path / "letter.pcap").write_text("Dear reader")
    page = sign_in(tab, watched, "uploads")
    page.locator("#capture").set_input_files(tmp_path / "letter.pcap")
    expect(page.locator(".notice.bad")).to_have_text("letter.pcap: This is no capture file.")


def test_the_sensor_and_its_detector_are_shown(tab, watched):
    page = sign_in(tab, watched, "sensors")
    expect(page.get_by_role("region", name="edge-1")).to_contain_text("ok")
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator(".notice")).to_contain_text("Detector answers")


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_a_detector_that_is_away_is_told_in_words_and_never_by_its_address(tab, tmp_path, role):
    with site_with_detector(tmp_path, starts=False) as (site, detector):
        said = []
        tab.on("response", lambda answer: said.append(answer) if "/api/" in answer.url and "stream" not in answer.url else None)
        page = sign_in(tab, site, "uploads", role)
        if role == "admin":
            expect(page.get_by_text("The detector does not answer, so a file cannot be read now.")).to_be_visible()
            page.locator("#capture").set_input_files(crafted.write_pcap(tmp_path / "scan.pcap", crafted.scan()))
            expect(page.locator(".said-now")).to_have_text("scan.pcap: Detector edge-1 does not answer")
            expect(page.locator("tr", has_text="scan.pcap")).to_contain_text("Detector edge-1 does not answer")
        visit(page, site, "sensors")
        expect(page.locator(".view-sensors")).to_contain_text("Detector edge-1 does not answer")
        if role == "admin":
            page.get_by_role("button", name="Test connection").click()
            expect(page.locator(".notice.bad")).to_contain_text("Detector edge-1 does not answer")
        assert said and not [answer.url for answer in said if f":{detector.port}" in answer.text()]
        assert f":{detector.port}" in site.backend.log(), "who keeps the server reads it in the log"


def test_a_file_on_its_way_goes_on_while_another_view_is_open(tab, watched, tmp_path):
    capture = crafted.write_pcap(tmp_path / "wandering.pcap", crafted.scan("10.7.7.7"))
    page = sign_in(tab, watched, "uploads")
    held = []
    page.route("**/upload-pcap", lambda route: held.append(route))
    page.locator("#capture").set_input_files(capture)
    expect(page.get_by_role("progressbar", name="wandering.pcap")).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
    page.get_by_role("link", name="Uploads").click()
    expect(page.get_by_role("progressbar", name="wandering.pcap")).to_be_visible()
    expect(page.locator(".sending").get_by_role("button", name="Cancel")).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
    wait_for(lambda: page.evaluate("1") and held)
    held[0].continue_()
    expect(page.locator(".notice")).to_contain_text("wandering.pcap: File received.")
    page.get_by_role("link", name="Uploads").click()
    expect(page.locator(".said-now")).to_have_text("wandering.pcap: 1 threat found.")
    expect(page.get_by_role("progressbar")).to_have_count(0)
