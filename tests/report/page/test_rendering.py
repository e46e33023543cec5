"""The HTML of a page: nothing from elsewhere, nothing unescaped, readable without eyes."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from subjects import subject

from eactf.report.page.blocks import Section, Table
from eactf.report.page.building import draw
from eactf.report.page.rendering import render
from eactf.report.page.sections import SECTIONS

EVIL = ('<script>alert("1")</script>', "\"><img src=x onerror='alert(2)'>", "{{ 7 * 7 }}")


class Elements(HTMLParser):
    """Every start tag of a page with its attributes, and all text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    """The sections of two runs whose classes have names that no class should have."""
    return draw(subject(tmp_path_factory.mktemp("runs"), "cross_entropy", "eac", names=EVIL))


@pytest.fixture(scope="module")
def page(sections):
    return render("Report", sections, "figures")


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page)


def test_two_runs_have_every_section_that_they_allow(sections):
    # No comparison, no table of single samples, no audit.
    without = {"paper", "scores", "suspects"}
    assert len(sections) == len(SECTIONS) - len(without)


def test_names_from_the_data_are_text_and_nothing_else(page, elements):
    assert not elements.all("script")
    assert not [1 for _, attributes in elements.tags if any(k.startswith("on") for k in attributes)]
    for name in EVIL:
        assert name in elements.text
        assert name not in page or name == EVIL[2]


def test_the_policy_allows_its_own_style_and_pictures_alone(page, elements):
    (policy,) = [meta["content"] for meta in elements.all("meta") if "http-equiv" in meta]
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    assert not [1 for _, attributes in elements.tags if "style" in attributes]


def test_nothing_is_loaded_from_elsewhere(elements):
    assert not {"link", "script", "iframe", "object", "embed"} & {tag for tag, _ in elements.tags}
    assert all(image["src"].startswith("data:image/") for image in elements.all("img"))
    links = [link["href"] for link in elements.all("a")]
    assert all(link.startswith(("#", "figures/")) for link in links)


def test_every_picture_has_an_alternative_text(elements):
    images = elements.all("img")
    assert len(images) > 20
    assert all(image["alt"].strip() for image in images)


def test_tables_have_captions_and_headings_of_rows_and_columns(elements):
    tables = len(elements.all("table"))
    assert tables == len(elements.all("caption")) > 2
    assert {heading["scope"] for heading in elements.all("th")} == {"row", "col"}


def test_every_link_within_the_page_leads_somewhere(elements):
    anchors = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(set(anchors)) == len(anchors)
    within = {link["href"][1:] for link in elements.all("a") if link["href"].startswith("#")}
    assert within <= set(anchors)


def test_the_page_says_its_language_and_its_width(elements):
    assert elements.all("html") == [{"lang": "en"}]
    assert any(meta.get("name") == "viewport" for meta in elements.all("meta"))


def test_a_section_says_what_is_missing():
    section = Section("a", "A", missing=["The data <gone>."], blocks=[Table("T", ["x"], [["y"]])])
    assert "The data &lt;gone&gt;." in render("Report", [section], "figures")
