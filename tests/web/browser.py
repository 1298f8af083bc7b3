"""Chromium on a page from disk, with every way to a network refused."""

import contextlib
import json
import pathlib
import shutil
import struct
import sys
import tempfile

import numpy

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

if not (CHROMIUM and DRIVER and webdriver):
    print("skipped: chromium, chromium-driver or python3-selenium is not on this machine")
    sys.exit(77)

# As root, in a container, and quiet: whatever it asks of a network goes to a port where nobody listens.
FLAGS = ("--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run "
         "--disable-background-networking --disable-component-update --disable-sync --force-device-scale-factor=1 "
         "--proxy-server=127.0.0.1:9 --proxy-bypass-list=<-loopback>").split()


class Browser:
    """One Chromium. Close it, or use it in a with statement."""

    def __init__(self, width=1440, height=1000):
        self._profile = tempfile.TemporaryDirectory()
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in [*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self._profile.name}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.driver.quit()
        with contextlib.suppress(OSError):
            self._profile.cleanup()

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def resize(self, width, height, is_phone=False):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=is_phone)

    def prefer(self, scheme=None, medium=""):
        features = [{"name": "prefers-color-scheme", "value": scheme}] if scheme else []
        self.command("Emulation.setEmulatedMedia", media=medium, features=features)

    def open(self, path, step=None):
        """Loads the page anew, also where only the step differs."""
        self.driver.get("about:blank")
        self.driver.get(pathlib.Path(path).as_uri() + (f"#{step}" if step else ""))

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        found = self.all(selector)
        assert len(found) == 1, f"{selector}: expected one, got {len(found)}"
        return found[0]

    def text(self, selector):
        return self.run("return arguments[0].textContent", self.one(selector))

    def press(self, *keys):
        """Presses keys one after the other, each where the focus then is."""
        webdriver.ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def press_with_control(self, key):
        webdriver.ActionChains(self.driver, duration=0).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()

    def hover(self, element):
        webdriver.ActionChains(self.driver).move_to_element(element).perform()

    def click(self, element):
        """A real click of the mouse, wherever the page has scrolled to."""
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        webdriver.ActionChains(self.driver).move_to_element(element).click().perform()

    def complaints(self):
        """What the console has said since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """The addresses that the page asked for since it was last asked."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent"]


def read_trace(path):
    """The tensors of a safetensors file, read without the code under test."""
    raw = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        assert entry["dtype"] in ("F32", "I32", "I64"), entry["dtype"]
        kind = {"F32": numpy.float32, "I32": numpy.int32, "I64": numpy.int64}[entry["dtype"]]
        tensors[name] = numpy.frombuffer(raw[8 + length + begin:8 + length + end], kind).reshape(entry["shape"])
    return tensors


def page_data(path):
    """The story as the page holds it."""
    html = pathlib.Path(path).read_text(encoding="utf-8")
    begin = html.index('id="data">') + len('id="data">')
    return json.loads(html[begin:html.index("</script>", begin)])


def with_data(path, to, change):
    """The page at `path` with its story changed, as another page."""
    html = pathlib.Path(path).read_text(encoding="utf-8")
    begin = html.index('id="data">') + len('id="data">')
    end = html.index("</script>", begin)
    story = json.loads(html[begin:end])
    change(story)
    pathlib.Path(to).write_text(html[:begin] + json.dumps(story).replace("<", "\\u003c") + html[end:], encoding="utf-8")
    return to


def number(text):
    """A number as the page writes it."""
    words = {"not a number": float("nan"), "\u221e": float("inf"), "\u2212\u221e": float("-inf"), "masked: 0": 0.0}
    return words[text] if text in words else float(text.replace("\u2212", "-").replace("\u202f", ""))
