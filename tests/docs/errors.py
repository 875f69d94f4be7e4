"""Compares docs/errors.md with the messages in the sources: python3 errors.py ROOT [--list]

A message is the text of what throws or refuses, in include/, in python/ and in the folders app, serving and training of
examples/recsys. Its parts that are known when it is compiled have to stand in one row of the page, with … between them; and each
part of a row has to stand in a source. Ranges of hyper-parameters and lists of names have one row for all, so calls of
refuse(name, value, range), refuse_name and refuse_value are left out. --list prints the messages.
"""

import pathlib
import re
import sys

CALL = re.compile(
    r"\b(POLDER_THROW\s+[\w:]+|throw\s+[\w:]+|wrong_argument|wrong_call|refuse_output|refuse|static_assert|fail)\s*[({]")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
LEAST = 8  # shorter parts are in many messages


def joined(text):
    """Without characters that are quotes, and with texts over several lines as one."""
    return re.sub(r'"\s*\n\s*"', "", re.sub(r"""'\\?"'""", "' '", text))


def arguments(text, begin):
    """From the first argument to the bracket that closes the call."""
    depth, at, inside = 1, begin, False
    while depth and at < len(text):
        c = text[at]
        if inside:
            at += c == "\\"
            inside = c != '"'
        elif c == '"':
            inside = True
        elif c in "({":
            depth += 1
        elif c in ")}":
            depth -= 1
        at += 1
    return text[begin:at - 1]


def plain(text):
    text = text.replace("polder: ", "").replace('\\"', '"').replace("\\\\", "\\")
    return re.sub(r"\{(:[^{}]*)?\}", "…", text)


def parts(message):
    found = (part.strip(" :;,.'") for part in message.split("…"))
    return [part for part in found if len(re.sub(r"[^A-Za-z]", "", part)) >= LEAST]


def sources(root):
    for folder in ("include", "python", "examples/recsys/app", "examples/recsys/serving",
                   "examples/recsys/training"):
        for file in sorted((root / folder).rglob("*.[hc]pp")):
            yield file, joined(file.read_text())


def main(root, listing):
    page = root / "docs" / "errors.md"
    rows = [] if listing else re.findall(r"^\| `+ ?(.*?) ?`+ \|", page.read_text().replace("\\|", "|"), flags=re.M)
    wrong, texts, count = [], [], 0
    for file, text in sources(root):
        texts += [plain(each) for each in TEXT.findall(text)]
        for call in CALL.finditer(text):
            inside = arguments(text, call.end())
            if call.group(1) == "refuse" and file.name not in ("torch.hpp", "polder.cpp"):
                continue
            message = "…".join(plain(each) for each in TEXT.findall(inside))
            asked = parts(message)
            if not asked:
                continue
            count += 1
            if listing:
                print(f"{file.relative_to(root)}: {message}")
            elif not any(all(part in row for part in asked) for row in rows):
                wrong.append(f"{file.relative_to(root)}: '{message}' is not on the page")
    if listing:
        return 0
    for row in rows:
        for part in parts(row):
            if not any(part in text for text in texts):
                wrong.append(f"{page}: '{part}' is in no source")
    if count < 100 or len(rows) < 100:
        wrong.append(f"{count} messages and {len(rows)} rows are too few")
    print("\n".join(wrong) or f"{count} messages, {len(rows)} rows")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), "--list" in sys.argv))
