"""docs/config.md, docs/cli.md and the default files."""
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
NOTICE = "<!-- Made by scripts/gen-docs; edit the tables in the code, or scripts/lib/docs/. -->\n"

MISTAKES = """\
listen:
  adress: 127.0.0.1:8080
ping: {interval: 25}
limits:
  on_slow_client: disconect
"""


def report_of(programs, text):
    """What the edge says about a wrong file."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "edge.yaml").write_text(text)
        program = str(pathlib.Path(programs.command_line("heddle-edge")[0]).resolve())
        run = subprocess.run([program, "-t", "-c", "edge.yaml"], cwd=folder, text=True, check=False,
                             capture_output=True, env=programs.environment())
    return run.stderr.rstrip()


def deepen(markdown):
    """All headings one level down."""
    return "\n".join("#" + line if line.startswith("#") else line for line in markdown.splitlines())


def config(programs):
    intro = (HERE / "config.md").read_text()
    intro = intro.replace("@MISTAKES@", MISTAKES.rstrip()).replace("@REPORT@", report_of(programs, MISTAKES))
    parts = [f"# Configuration\n\n{NOTICE}\n{intro}"]
    for name in ("heddle-edge", "heddle-relay"):
        parts.append(f"\n## Settings of {name}\n\n{deepen(programs.output(name, '--print-docs'))}\n")
    return "".join(parts)


def cli(programs):
    lines = ["# The command line", "", NOTICE,
             "`heddle-edge` and `heddle-relay` have few options; what they do is in their [configuration](config.md).",
             "Exit codes of all programs: 0 done, 1 tried and failed, 2 wrong options or settings, 3 the node to talk to",
             "did not answer.", ""]
    for name in ("heddle-edge", "heddle-relay"):
        options = programs.output(name, "--help").split("\nSettings,")[0].rstrip()
        lines += [f"## {name}", "", "```", options, "```", ""]
    lines += ["## heddle", "", "```", programs.overview().rstrip(), "```", ""]
    for command in programs.commands():
        lines += [f"### heddle {' '.join(command.words)}", "", "```", command.help.rstrip(), "```", ""]
    return "\n".join(lines)


def default_file(programs, name):
    return (f"# Every setting of {name} with its default. Made by scripts/gen-docs from {name} --print-default.\n\n"
            + programs.output(name, "--print-default"))
