"""Every example of README.md is executed.

A block of code is preceded by a comment that says how: `test: prints X`, `test: first line in the background,
prints X`, `test: node, prints X`, `test: check` (settings), or where it is tested. A block without one fails the
test, unless it is a picture (no language).
"""
import os
import re
import shutil
import subprocess
import threading

import pytest

from heddle_cluster import API_KEY, BUILD, PATIENCE, ROOT, SECRET, wait_until

EDGE = {"api": {"on_client_port": True}}
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^(?:<!-- test: (?P<how>.*?) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(README)]


def name_of(block):
    return f"{block['language']}: {block['code'].splitlines()[0][:40]}"


class Running:
    """A program whose output is collected while it runs."""

    def __init__(self, command, **options):
        self.output = ""
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True, **options)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.output += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()


def here(code, cluster):
    """The addresses of the README as they are in this run."""
    replacements = {"127.0.0.1:8000": f"127.0.0.1:{cluster.edges[0].port}",
                    "127.0.0.1:8001": f"127.0.0.1:{cluster.edges[1].port}",
                    "build/heddle ": f"{BUILD}/heddle "}
    for old, new in replacements.items():
        code = code.replace(old, new)
    # without --to the program takes the usual port, which may be somebody else's here
    return re.sub(r"(/heddle (?:sub|pub|status)\b)", rf"\1 --to {cluster.relay.address}", code)


def prints(how):
    return re.search(r'prints "?([^"]+)"?$', how)[1]


def run_shell(code, wanted):
    answer = subprocess.run(["bash", "-euo", "pipefail", "-c", code], capture_output=True, text=True, check=False,
                            timeout=4 * PATIENCE, env={**os.environ, "KEY": API_KEY}, stdin=subprocess.DEVNULL)
    assert answer.returncode == 0, answer.stderr
    assert wanted in answer.stdout


def run_beside(code, wanted):
    """The first line in the background; the others until it has printed what it should."""
    first, rest = code.split("\n", 1)
    with Running(["bash", "-c", f"exec {first}"]) as listener:
        def say():
            assert listener.process.poll() is None, listener.output
            run_shell(rest, "")
            return wanted in listener.output
        wait_until(say, f"it prints {wanted}")


def run_node(code, wanted):
    """Node 18 has no WebSocket of its own; a browser has."""
    prelude = "globalThis.WebSocket ??= (await import('ws')).WebSocket;\n"
    with Running([shutil.which("node"), "--input-type=module", "--eval", prelude + code],
                 cwd=ROOT / "tests" / "clients") as node:
        def said():
            assert node.process.poll() is None or wanted in node.output, node.output
            return wanted in node.output
        wait_until(said, f"it prints {wanted}")


def run_check(code, tmp_path):
    file = tmp_path / re.match(r"# (\S+)", code)[1]
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    file.write_text(code.replace("/etc/heddle/secret", str(secret)))
    answer = subprocess.run([BUILD / "heddle", "check", file], capture_output=True, text=True, check=False, timeout=30)
    assert answer.returncode == 0, answer.stderr


def test_there_are_examples_and_each_says_how_it_is_tested():
    assert len(BLOCKS) >= 7
    for block in BLOCKS:
        assert block["how"], name_of(block)


@pytest.mark.parametrize("block", [block for block in BLOCKS if not (block["how"] or "").startswith("see")], ids=name_of)
def test_an_example_does_what_it_says(cluster, tmp_path, block):
    how, code = block["how"], here(block["code"], cluster)
    if how == "check":
        run_check(code, tmp_path)
    elif how.startswith("node"):
        run_node(code, prints(how))
    elif how.startswith("first line in the background"):
        run_beside(code, prints(how))
    else:
        run_shell(code, prints(how))


def test_the_links_of_the_pages_lead_somewhere():
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
