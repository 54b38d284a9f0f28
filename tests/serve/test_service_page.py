"""The service's page in a real browser."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_bundles import (
    CONFIDENCE,
    TOKEN,
    Running,
    bundle,
    colour_bundle,
    made_up_versions,
    served,
    text_bundle,
)
from PIL import Image

import real_browser
from fortydays.inputs.tokens import Tokens
from fortydays.registry.inference import OnnxModel
from fortydays.registry.package import seal
from fortydays.serve.guard import Access

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with real_browser.started() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    made = browser.new_page(viewport={"width": 1000, "height": 800})
    made.set_default_timeout(20_000)
    problems: list[str] = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    made.close()
    assert problems == []


def drawn_bundle(folder: Path, *, version: int = 1, favourite: int = 7) -> None:
    """A model of strokes that says ``favourite`` where most of the ink is in the upper half, else a 2."""
    bundle(folder, version=version, strokes=True)
    weights = np.zeros((64, 10), np.float32)
    weights[:32, favourite] = 1
    weights[32:, 2] = 1
    content = made_up_versions.onnx_of(weights)
    (folder / "model.onnx").write_bytes(content)
    golden = np.zeros((2, 8, 8), np.uint8)
    golden[1, :4] = 255
    from fortydays.base.arrays import save_arrays

    save_arrays(folder / "golden.npz", [golden, OnnxModel(content, threads=1).predict({"image": golden})])
    seal(folder, kind="bundle", facts={"name": "digits", "version": version})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bundles")
    drawn_bundle(folder / "one")
    drawn_bundle(folder / "two", version=2, favourite=9)
    with served(folder / "one", shadow=folder / "two") as found:
        yield found


def draw_a_seven(page: Any) -> None:
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 70)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 70, steps=4)
    page.mouse.move(box["x"] + 130, box["y"] + 210, steps=6)
    page.mouse.up()


def wait_for(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)", arg=[selector, text]
    )


def dropped(page: Any, name: str, kind: str, content: bytes) -> None:
    transfer = page.evaluate_handle(
        "([name, kind, content]) => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(content)], name, { type: kind })); return data; }",
        [name, kind, list(content)],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


def png() -> bytes:
    image = Image.new("L", (40, 40), 255)
    image.paste(0, (10, 30, 30, 38))
    image.paste(0, (18, 5, 22, 38))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_drawn_seven_is_answered_by_both_models_while_it_is_drawn(page: Any, running: Running) -> None:
    page.goto(running.address)
    assert page.text_content("#draw-title") == "Draw a digit"
    draw_a_seven(page)
    wait_for(page, "#answered-by", "7, says digits@1")
    wait_for(page, "#second-by", "9, says digits@2")
    assert page.locator("#bars li").count() == 10
    assert page.locator("#bars li.best .label").text_content() == "7"
    assert "ms" in page.text_content("#took")
    page.click("#clear")
    assert page.locator("#bars li").count() == 0


def test_a_dropped_image_is_answered_and_a_text_file_is_told_what_was_expected(page: Any, running: Running) -> None:
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    dropped(page, "two.png", "image/png", png())
    wait_for(page, "#answered-by", "says digits@1")
    assert page.is_visible("#preview")

    dropped(page, "notes.txt", "text/plain", b"hello")
    assert page.text_content("#message") == "“notes.txt” is no image that can be read. Give a PNG, JPEG or WebP file."
    assert page.is_visible("#message")

    dropped(page, "false.png", "image/png", b"hello")
    wait_for(page, "#message", "This is no image that can be read; expected PNG, JPEG or WEBP.")


def test_a_chosen_file_is_answered(page: Any, running: Running) -> None:
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png()})
    wait_for(page, "#answered-by", "says digits@1")


def test_it_can_be_drawn_with_the_keyboard_alone(page: Any, running: Running) -> None:
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    for _ in range(10):
        if page.evaluate("document.activeElement.id") == "canvas":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "canvas"
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    wait_for(page, "#answered-by", "says digits@1")
    assert "Pen down" in page.get_attribute("#canvas", "aria-label")
    page.keyboard.press("Delete")
    assert page.text_content("#answered-by") == "Answer"


def test_a_service_that_is_gone_is_told_in_words(browser: Any, page: Any, tmp_path: Path) -> None:
    drawn_bundle(tmp_path / "one")
    with served(tmp_path / "one") as running:
        page.goto(running.address)
        page.wait_for_selector("#drawing:not([hidden])")
    draw_a_seven(page)
    wait_for(page, "#message", "The service does not answer. Is it still running?")


def test_with_a_token_the_page_asks_for_it(page: Any, tmp_path: Path) -> None:
    drawn_bundle(tmp_path / "one")
    with served(tmp_path / "one", access=Access(token=TOKEN, admin_token=TOKEN)) as running:
        page.goto(running.address)
        page.wait_for_selector("#token-form:not([hidden])")
        assert page.is_hidden("#drawing")
        page.fill("#token", "wrong")
        page.press("#token", "Enter")
        wait_for(page, "#message", "The service does not take this token.")
        assert page.is_visible("#token-form")
        page.fill("#token", TOKEN)
        page.press("#token", "Enter")
        page.wait_for_selector("#drawing:not([hidden])")
        draw_a_seven(page)
        wait_for(page, "#answered-by", "7, says digits@1")
        page.click("text=Model card")
        page.wait_for_selector("h1:has-text('digits')")
        page.goto(running.address + "/docs")
        page.wait_for_selector("text=fortydays service")


def test_it_begins_with_what_the_model_knows_and_a_sample_of_each_class_to_click(page: Any, tmp_path: Path) -> None:
    bundle(tmp_path / "one", labels=(5, 3), confidence=CONFIDENCE)
    with served(tmp_path / "one") as found:
        page.goto(found.address)
        wait_for(page, "#samples", "5")
        assert page.text_content("#knows") == (
            "It knows 10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9. An answer is marked unknown where its highest "
            "probability is below 40%; of examples of these classes, that happens to 5%."
        )
        samples = page.get_by_role("button", name="Sample of")
        assert [each.get_attribute("aria-label") for each in samples.all()] == ["Sample of 3", "Sample of 5"]
        samples.first.focus()
        page.keyboard.press("Enter")
        wait_for(page, "#answered-by", "3, says digits@1")
        assert page.locator("#preview").is_visible()


def test_an_older_bundle_has_no_samples_to_offer(page: Any, tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    with served(tmp_path / "one") as found:
        page.goto(found.address)
        wait_for(page, "#knows", "It knows 10 classes")
        assert not page.locator("#samples").is_visible()
        assert "unknown" not in page.text_content("#knows")


def test_what_was_cleared_stays_so_though_an_answer_was_on_its_way(page: Any, running: Running) -> None:
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/predict?*", hold)
    draw_a_seven(page)
    page.wait_for_timeout(200)
    page.click("#clear")
    for route in held:
        route.continue_()
    page.wait_for_timeout(500)
    assert page.text_content("#answered-by") == "Answer"
    assert page.locator("#bars li").count() == 0


def test_where_one_model_refuses_its_bars_go_and_the_reason_stays(page: Any, running: Running) -> None:
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    draw_a_seven(page)
    wait_for(page, "#answered-by", "7, says digits@1")
    refusal = '{"error": {"message": "The queue is full."}}'
    page.route("**/predict?*", lambda route: route.fulfill(status=503, body=refusal))
    draw_a_seven(page)
    wait_for(page, "#message", "The queue is full.")
    page.wait_for_timeout(300)
    assert page.text_content("#message") == "The queue is full."
    assert page.text_content("#answered-by") == "No answer"
    assert page.locator("#bars li").count() == 0
    assert page.locator("#second-bars li").count() == 10


def test_the_keyboards_pen_is_seen_and_a_second_finger_draws_nothing(page: Any, running: Running) -> None:
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    page.focus("#canvas")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#pen")
    page.keyboard.press(" ")
    assert "down" in page.get_attribute("#pen", "class")
    page.click("#clear")
    assert page.is_hidden("#pen")
    inked = page.evaluate(
        """() => {
            const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
            const send = (kind, id, x) => canvas.dispatchEvent(new PointerEvent(kind, {
                pointerId: id, clientX: box.left + x, clientY: box.top + 20, bubbles: true, cancelable: true }));
            canvas.setPointerCapture = () => {};
            send("pointerdown", 1, 20); send("pointerdown", 2, 200); send("pointermove", 2, 250);
            send("pointermove", 1, 60); send("pointerup", 2, 250);
            send("pointermove", 1, 100); send("pointerup", 1, 100);
            const inkAt = (x) => canvas.getContext("2d").getImageData(x, 20, 1, 1).data[0] < 128;
            return [inkAt(60), inkAt(100), inkAt(150), inkAt(225)];
        }"""
    )
    assert inked == [True, True, False, False]


HOSTILE = (
    "\x1b[31m<b>red</b><script>document.title = 'run'</script>",
    "a long name " * 20,
    "x" * 200,
    "\u202eabc",
    "=1+1",
)


def photograph(
    colour: tuple[int, int, int], size: tuple[int, int] = (1200, 900), *, kind: str = "jpeg"
) -> dict[str, Any]:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return {"name": f"photograph.{kind}", "mimeType": f"image/{kind}", "buffer": file.getvalue()}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bundles")
    colour_bundle(folder / "one", classes=HOSTILE, confidence=CONFIDENCE)
    colour_bundle(folder / "two", classes=HOSTILE)
    with served(folder / "one", shadow=folder / "two") as found:
        yield found


def test_an_unknown_answer_is_said_in_words_and_told_to_those_who_listen(page: Any, photographs: Running) -> None:
    page.goto(photographs.address)
    page.wait_for_selector("#second:not([hidden])")
    assert page.is_hidden("#drawing")
    listened = page.get_by_role("status")
    assert listened.text_content() == ""

    page.set_input_files("#file", photograph((90, 90, 90)))
    wait_for(page, "#answered-by", "Unknown, says flowers@1")
    assert listened.text_content() == (
        "This looks unlike what the model has learned; its best guess is "
        "?[31m<b>red</b><script>document.title = 'run'</script>."
    )
    assert "unknown" in page.get_attribute("#bars", "class")
    # The other model does not say how to tell.
    wait_for(page, "#second-by", "?[31m<b>red</b><script>document.title = 'run'</script>, says flowers@1")
    assert page.text_content("#second-verdict") == ""

    page.set_input_files("#file", photograph((0, 255, 0)))
    wait_for(page, "#answered-by", "a long name a long name")
    assert listened.text_content() == ""
    assert "unknown" not in page.get_attribute("#bars", "class")
    assert page.title() == "flowers@1 · fortydays"


def test_what_was_said_of_an_image_goes_with_it(page: Any, photographs: Running) -> None:
    page.goto(photographs.address)
    page.wait_for_selector("#second:not([hidden])")
    page.set_input_files("#file", photograph((90, 90, 90)))
    wait_for(page, "#verdict", "This looks unlike what the model has learned")

    page.set_input_files("#file", photograph((90, 90, 90), (5000, 4001), kind="png"))

    wait_for(page, "#message", "The image has 5,000 x 4,001 pixels; expected at most 20,000,000 in all, or ")
    assert page.text_content("#verdict") == ""


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_name_of_a_class_is_too_long_for_a_screen(browser: Any, photographs: Running, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(photographs.address)
    page.wait_for_selector("#second:not([hidden])")
    for colour, said in (((0, 0, 255), "xxx"), ((90, 90, 90), "Unknown")):
        page.set_input_files("#file", photograph(colour))
        wait_for(page, "#answered-by", said)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    image, answer = (page.locator(each).bounding_box()["y"] for each in ("#drop", "#answer"))
    assert image < answer or width == 1280
    page.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_cut_off_on_any_screen(browser: Any, running: Running, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(running.address)
    page.wait_for_selector("#drawing:not([hidden])")
    draw_a_seven(page)
    wait_for(page, "#answered-by", "7, says digits@1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for path in ("/model/card", "/docs"):
        page.goto(running.address + path)
        page.wait_for_load_state("networkidle")
        if path == "/model/card":
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("texts")
    goodness = {"awful": -1.0, "incomprehensible": -1.0, "uninteresting": -1.0, "lovely": 2.0}
    text_bundle(folder / "one", Tokens(length=8, vocabulary=(*goodness, "film"), masked=True), goodness)
    with served(folder / "one") as found:
        yield found


def test_a_text_that_is_typed_is_answered(page: Any, texts: Running) -> None:
    page.goto(texts.address)
    page.wait_for_selector("#writing:not([hidden])")
    assert page.is_hidden("#drawing")
    assert page.is_hidden("#drop")
    assert page.text_content("#text-help") == "The model reads the last 8 words."

    page.get_by_role("textbox", name="Write a text").fill("An awful film.")
    page.get_by_role("button", name="Ask").click()
    wait_for(page, "#answered-by", "bad, says reviews@1")
    assert page.locator("#bars li .label").all_text_contents() == ["bad", "good"]

    page.fill("#text", "...")
    page.click("#writing button")
    wait_for(page, "#message", "The text has no word.")
    assert page.locator("#bars li").count() == 0

    page.fill("#text", "zxqv qqq")
    page.click("#writing button")
    wait_for(page, "#message", "The model knows none of the words of this text, so there is no answer.")
    assert page.locator("#bars li").count() == 0


@pytest.mark.parametrize(
    ("encoding", "note"), [("utf-8", ""), ("cp1252", "It is read as cp1252"), ("utf-16", "It is read as UTF-16.")]
)
def test_a_file_of_text_is_read_in_the_encodings_of_the_service(
    page: Any, texts: Running, encoding: str, note: str
) -> None:
    page.goto(texts.address)
    page.wait_for_selector("#writing:not([hidden])")
    said = "Un caf\u00e9 \u20ac 3,\nlovely"
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": said.encode(encoding)})
    wait_for(page, "#answered-by", "good, says reviews@1")
    assert page.input_value("#text") == said
    told = page.text_content("#read-as")
    assert told.startswith(note)
    assert bool(told) == bool(note)


def test_a_sample_of_a_text_shows_its_words_and_is_written_and_asked(page: Any, texts: Running) -> None:
    page.goto(texts.address)
    page.wait_for_selector("#samples li:nth-child(2)")
    assert page.locator("#samples span").all_text_contents() == ["bad", "good"]
    assert page.locator("#samples q").all_text_contents() == ["awful incomprehensible uninteresting", "lovely"]
    assert page.text_content("#samples .help") == (
        "One of each class. The model has not learned from them. These are the words that the model sees; a question "
        "mark stands for a word that it does not know."
    )

    page.get_by_role("button", name="Sample of good: lovely").click()
    wait_for(page, "#answered-by", "good, says reviews@1")
    assert page.input_value("#text") == "lovely"


def test_a_text_file_that_is_dropped_is_asked_and_an_image_is_told_what_was_expected(
    page: Any, texts: Running
) -> None:
    page.goto(texts.address)
    page.wait_for_selector("#writing:not([hidden])")
    dropped(page, "review.txt", "text/plain", b"Lovely!")
    wait_for(page, "#answered-by", "good, says reviews@1")
    assert page.input_value("#text") == "Lovely!"

    dropped(page, "two.png", "image/png", png())
    wait_for(page, "#message", "“two.png” is no text that can be read. Give a plain text file.")


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_a_text_has_room_on_any_screen(browser: Any, texts: Running, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(texts.address)
    page.wait_for_selector("#samples li:nth-child(2)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    samples, form, text, answer = (
        page.locator(each).bounding_box() for each in ("#samples", "#writing", "#text", "#answer")
    )
    assert text["width"] == form["width"] > 0.4 * min(width, 900)
    assert samples["y"] < form["y"]
    if width < 700:
        assert form["y"] + form["height"] <= answer["y"]
    else:
        assert (form["y"], form["x"] < answer["x"]) == (answer["y"], True)
    page.close()


def test_nothing_is_asked_of_anybody_else(browser: Any, running: Running) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    refused: list[str] = []
    page.on(
        "console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None
    )
    for path in ("/", "/docs", "/model/card"):
        page.goto(running.address + path)
        page.wait_for_load_state("networkidle")
    page.close()
    assert asked
    assert all(url.startswith((running.address, "data:", "blob:")) for url in asked)
    assert refused == []
