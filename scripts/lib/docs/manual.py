"""The manual pages, in mdoc(7)."""
import re
import tomllib

from docs.pages import HERE
from docs.programs import DAEMONS

NOTICE = '.\\" Made by scripts/gen-docs; edit the tables in the code, or scripts/lib/docs/.\n'


def escape(text):
    """Text for a line of its own, or behind a macro."""
    text = text.replace("\\", "\\e").replace("…", "...").replace("`", "").replace("→", "\\(->")
    text = re.sub(r"(?<=[\s(\[])-(?=[\w-])|^-(?=[\w-])", r"\\-", text)
    return "\\&" + text if text[:1] in (".", "'") else text


def prose(text):
    """Sentences on lines of their own, as mdoc wants them."""
    return [escape(line) for line in re.sub(r"(?<=[.!?]) (?=[A-Z])", "\n", " ".join(text.split())).split("\n")]


def argument(text):
    """Behind a macro a word that is one itself, or punctuation alone, would be taken as such."""
    return " ".join(f'"{word}"' if re.fullmatch(r"[A-Z][a-z]|\W", word) else word for word in escape(text).split())


def option_items(options):
    lines = [".Bl -tag -width Ds"]
    for option in options:
        head = f".It Fl {option.letter} , Fl \\-{option.name}" if option.letter else f".It Fl \\-{option.name}"
        lines += [head + (f" Ar {argument(option.value)}" if option.value else ""), *prose(option.text)]
    return [*lines, ".El"]


def setting_items(sections, level):
    lines = []
    for section in sections:
        lines += [f".{level} {argument(section.title)}", *prose(section.meaning), ".Bl -tag -width Ds"]
        for setting in section.settings:
            default = f" , default {argument(setting.default)}" if setting.default else ""
            lines += [f".It Cm {argument(setting.key)} Pq {setting.type}{default}", *prose(setting.meaning)]
        lines.append(".El")
    return lines


def head(name, section, purpose, texts):
    title = name.upper()
    return [f".Dd {texts['date']}", f".Dt {title} {section}", ".Os", ".Sh NAME", f".Nm {name}", f".Nd {escape(purpose)}"]


def about(texts):
    lines = []
    for index, paragraph in enumerate(texts["about"]):
        lines += ([".Pp"] if index else []) + prose(paragraph)
    return lines


def see_also(texts):
    rows = [f".Xr {name} {section}" for name, section in texts["see"]]
    return [".Sh SEE ALSO", *[row + " ," for row in rows[:-1]], rows[-1]]


def daemon(programs, name, texts):
    return [
        *head(name, 8, programs.purpose(name), texts),
        ".Sh SYNOPSIS", f".Nm {name}", ".Op Fl c Ar FILE", ".Op Fl t",
        ".Sh DESCRIPTION", *about(texts[name]),
        ".Pp", "The options are:", *option_items(programs.options(name)),
        ".Pp", "The settings are described in", ".Xr heddle-config 5 .",
        ".Sh SIGNALS", ".Dv SIGTERM", "and", ".Dv SIGINT",
        "let the program end in order; a second one ends it at once.",
        ".Sh EXIT STATUS", "0 if it was told to end, 1 if it could not start, 2 if options or settings are wrong.",
        *see_also(texts[name]),
    ]


def synopsis(command):
    """".Op Ar OPTION" for "[OPTION…]", and the like."""
    lines = []
    for word in command.usage.split():
        optional = word.startswith("[")
        word = word.strip("[]")
        name, dots = word.rstrip("…"), " ..." if word.endswith("…") else ""
        lines.append(f".{'Op ' if optional else ''}Ar {name}{dots}")
    return lines


def tool(programs, texts):
    commands = programs.commands()
    lines = [*head("heddle", 1, "tools for a cluster of Heddle nodes", texts), ".Sh SYNOPSIS"]
    for command in commands:
        lines += [".Nm heddle", f".Cm {' '.join(command.words)}", *synopsis(command)]
    lines += [".Sh DESCRIPTION", *about(texts["heddle"]), ".Sh COMMANDS"]
    for command in commands:
        lines += [f".Ss {' '.join(command.words)}"]
        for index, paragraph in enumerate(command.about.split("\n\n")):
            is_list = re.search(r"^  ", paragraph, re.M)
            lines += [".Pp"] if index and not is_list else []
            if is_list:
                lines += [".Bd -literal", *[escape(line) for line in paragraph.splitlines()], ".Ed"]
            else:
                lines += prose(paragraph)
        lines += option_items(command.options)
    return [*lines, ".Sh EXIT STATUS",
            "0 if it is done, 1 if it was tried and failed, 2 if options or settings are wrong,",
            "3 if the node to talk to did not answer.", *see_also(texts["heddle"])]


def settings(programs, texts):
    lines = [*head("heddle-config", 5, "settings of heddle-edge and heddle-relay", texts),
             ".Sh DESCRIPTION", *about(texts["heddle-config"])]
    for name in DAEMONS:
        lines += [f".Sh SETTINGS OF {name.upper()}", *setting_items(programs.settings(name), "Ss")]
    return [*lines, *see_also(texts["heddle-config"])]


def pages(programs):
    """File name -> text."""
    texts = tomllib.loads((HERE / "man.toml").read_text())
    made = {f"{name}.8": daemon(programs, name, texts) for name in DAEMONS}
    made["heddle.1"] = tool(programs, texts)
    made["heddle-config.5"] = settings(programs, texts)
    return {name: NOTICE + "\n".join(lines) + "\n" for name, lines in made.items()}
