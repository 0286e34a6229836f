"""The built programs, and what they say about themselves."""
import os
import re
import subprocess
from dataclasses import dataclass

DAEMONS = ["heddle-edge", "heddle-relay"]
PROGRAMS = [*DAEMONS, "heddle"]


@dataclass
class Option:
    letter: str  # "" = none
    name: str
    value: str  # "" = it takes none
    text: str


@dataclass
class Command:
    words: list  # ["token", "make"]
    purpose: str  # its line in the list of commands
    usage: str  # "[OPTION…] CHANNEL…"
    help: str  # all of --help
    about: str
    options: list


@dataclass
class Setting:
    key: str
    type: str
    default: str
    environment: str
    meaning: str


@dataclass
class Section:
    title: str
    meaning: str
    settings: list


def parse_options(text):
    """The rows "  -c, --config FILE   read it", the text of which may stand in the next line."""
    options = []
    for line in text.splitlines():
        row = re.match(r"  (?:-(\w), |    )--([\w-]+)(?: (\S+))?(?: {2,}(\S.*)| +(\S.*))?$", line)
        if row:
            options.append(Option(row[1] or "", row[2], row[3] or "", row[4] or row[5] or ""))
        elif options and not options[-1].text and re.match(r" {20,}\S", line):
            options[-1].text = line.strip()
        elif options:
            break
    return options


def parse_sections(markdown):
    sections = []
    for line in markdown.splitlines():
        if line.startswith("## "):
            sections.append(Section(line[3:].strip("`"), "", []))
        elif line.startswith("| `"):
            cells = [cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            sections[-1].settings.append(Setting(*cells))
        elif line and not line.startswith("|"):
            sections[-1].meaning = line
    return sections


class Programs:
    def __init__(self, folder):
        self.folder = folder
        missing = [name for name in PROGRAMS if not (folder / name).exists()]
        if missing:
            raise SystemExit(f"gen-docs: {folder} has no {', '.join(missing)}; build them first")

    def command_line(self, name, *arguments):
        return [str(self.folder / name), *arguments]

    @staticmethod
    def environment():
        return {key: value for key, value in os.environ.items() if not key.startswith("HEDDLE_")}

    def output(self, name, *arguments):
        return subprocess.run(self.command_line(name, *arguments), check=True, text=True, stdout=subprocess.PIPE,
                              env=self.environment()).stdout

    def options(self, name):
        return parse_options(self.output(name, "--help"))

    def purpose(self, name):
        """The sentence behind the name in the first line of --help."""
        return self.output(name, "--help").splitlines()[0].split(" - ", 1)[1]

    def settings(self, name):
        return parse_sections(self.output(name, "--print-docs"))

    def overview(self):
        return self.output("heddle", "--help")

    def commands(self, *above):
        """All commands, those with commands of their own replaced by these."""
        found = []
        for name, purpose in re.findall(r"^  (\w+) {2,}(\S.*)$", self.output("heddle", *above, "--help"), re.M):
            words = [*above, name]
            text = self.output("heddle", *words, "--help")
            usage = re.search(rf"^Usage: heddle {' '.join(words)} (.*)$", text, re.M)[1]
            if usage.startswith("COMMAND"):
                found += self.commands(*words)
                continue
            about, options = text.split("\n\n", 1)[1].split("\nOptions:\n")
            found.append(Command(words, purpose, usage, text, about.strip(), parse_options(options)))
        return found
