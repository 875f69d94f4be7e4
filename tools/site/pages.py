"""Prepares the pages of polder for mkdocs, and checks the links of the site that it makes.

    pages.py prepare FOLDER    writes FOLDER/pages and FOLDER/mkdocs.yml
    pages.py check FOLDER      every link and every image in FOLDER/*.html leads to a file, and to an anchor there
"""

import html.parser
import os
import pathlib
import re
import shutil
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOP = ("First steps", ["index.md", "guide.md", "adapters.md", "python.md", "check_closure.md", "errors.md"])
PARTS = [
    ("Methods", ["methods.md", "gallery.md", "theory.md", "writing_a_method.md"]),
    ("In depth", ["scale.md", "state.md", "gpu.md", "architecture.md", "guarantees.md", "benchmarks.md"]),
    ("Recommender suite", ["program.md", "own_data.md", "writing_a_model.md", "results.md", "reproduction.md"]),
    ("Project", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]),
]


def sources():
    """Page of the site -> file of the repository."""
    pages = {"index.md": ROOT / "README.md"}
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        if (ROOT / name).exists():
            pages[name] = ROOT / name
    for file in sorted((ROOT / "docs").rglob("*.md")):
        pages[str(file.relative_to(ROOT / "docs"))] = file
    return pages


def title(file):
    for line in file.read_text().splitlines():
        if line.startswith("# "):
            return line[2:].strip()
    return file.stem


def prepare(folder):
    pages, target = sources(), folder / "pages"
    shutil.rmtree(target, ignore_errors=True)
    page_of = {file: page for page, file in pages.items()}
    for page, file in pages.items():
        text = file.read_text()
        # What only the compiler sees.
        text = re.sub(r"^<!--.*?-->\n", "", text, flags=re.S | re.M)
        # Python-Markdown begins a list only after an empty line.
        text = re.sub(r"^((?!- |\s|$).*[^\s].*)\n(- )", r"\1\n\n\2", text, flags=re.M)

        def link(match):
            whole, where = match.group(0), match.group(2)
            if re.match(r"[a-z]+:|#", where):
                return whole
            path, _, anchor = where.partition("#")
            there = (file.parent / path).resolve()
            if not there.exists() or ROOT not in there.parents:
                if re.fullmatch(r"[\w./-]+", path):
                    sys.exit(f"{file}: the link '{where}' leads nowhere")
                return whole
            if there in page_of:
                new = page_of[there]
            else:
                new = "files/" + str(there.relative_to(ROOT)) + copy(there, target / "files")
            new = os.path.relpath(new, os.path.dirname(page) or ".")
            return match.group(1) + new + ("#" + anchor if anchor else "") + ")"

        parts = re.split(r"(^```.*?^```$)", text, flags=re.S | re.M)
        parts[::2] = [re.sub(r"(\]\()([^()\s]+)\)", link, part) for part in parts[::2]]
        written = target / page
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text("".join(parts))
    (target / "assets").mkdir(exist_ok=True)
    shutil.copy(ROOT / "tools/site/worker.js", target / "assets/iframe-worker.js")
    shutil.copy(ROOT / "tools/site/extra.css", target / "assets")

    listed = ["nav:"]
    known = set()
    for heading, names in [TOP, *PARTS]:
        listed.append(f"  - {heading}:")
        for name in names:
            if name in pages:
                listed.append(f"    - {name}" if name != "index.md" else "    - polder: index.md")
                known.add(name)
        if heading == "Methods" and any(name.startswith("methods/") for name in pages):
            listed.append("    - One by one:")
            for name in sorted(pages):
                if name.startswith("methods/"):
                    listed.append(f"      - {name}")
                    known.add(name)
    listed.append("  - API reference: reference.md")
    (target / "reference.md").write_text(
        "# API reference\n\nClasses and functions, from the comments of the headers: "
        '<a href="api/index.html">the reference</a>, <a href="api/annotated.html">all classes</a>, '
        '<a href="api/files.html">all headers</a>.\n')
    rest = sorted(set(pages) - known)
    if rest:
        listed += ["  - More:"] + [f"    - {name}" for name in rest]
    config = (ROOT / "tools/site/mkdocs.yml").read_text()
    (folder / "mkdocs.yml").write_text(config + "\n".join(listed) + "\n")


def copy(there, files):
    """Copies a file that pages link to, or a folder's files with a list of them; returns what the link adds."""
    to = files / there.relative_to(ROOT)
    if there.is_file():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(there, to)
        return ""
    lines = []
    for file in sorted(there.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".md":
            copied = to / file.relative_to(there)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copied)
            name = str(file.relative_to(there))
            lines.append(f'<li><a href="{name}">{name}</a></li>')
    to.mkdir(parents=True, exist_ok=True)
    (to / "index.html").write_text(
        f'<!doctype html>\n<meta charset="utf-8">\n<title>{there.name}</title>\n'
        f"<h1>{there.relative_to(ROOT)}</h1>\n<ul>\n" + "\n".join(lines) + "\n</ul>\n")
    return "/index.html"


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.anchors = [], set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ("id", "name"):
            if attributes.get(name):
                self.anchors.add(attributes[name])
        for name in ("href", "src"):
            if attributes.get(name):
                self.links.append((tag, attributes[name]))


def check(folder):
    read, broken = {}, []

    def links_of(file):
        if file not in read:
            read[file] = Links()
            read[file].feed(file.read_text(errors="replace"))
        return read[file]

    files = sorted(folder.rglob("*.html"))
    for file in files:
        for tag, link in links_of(file).links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme in ("http", "https", "mailto", "data", "javascript"):
                if parts.scheme in ("http", "https") and (
                        tag in ("script", "img", "iframe") or (tag == "link" and link.endswith(".css"))):
                    broken.append(f"{file}: '{link}' needs a network")
                continue
            there = file
            if parts.path:
                there = (file.parent / urllib.parse.unquote(parts.path)).resolve()
                if there.is_dir():
                    there = there / "index.html"
            if not there.exists():
                if file.name != "404.html":
                    broken.append(f"{file}: there is no '{link}'")
            # Doxygen links to summaries of private classes, which it leaves out.
            elif parts.fragment and there.suffix == ".html" and parts.fragment != "nested-classes":
                if urllib.parse.unquote(parts.fragment) not in links_of(there).anchors:
                    broken.append(f"{file}: '{link}' has no such anchor")
    if broken:
        sys.exit("\n".join(broken[:40] + [f"{len(broken)} broken links"]))
    print(f"{len(files)} pages, no broken link")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("prepare", "check"):
        sys.exit(__doc__)
    {"prepare": prepare, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve())
