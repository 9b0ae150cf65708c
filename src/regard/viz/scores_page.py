"""One page about the scores of a model on many recordings, or on those of a live run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regard.viz.in_words import Scored
from regard.viz.page import links_html, section, write_page
from regard.viz.score_tables import by_recording_html, details_html, lead_html, scores_html

__all__ = ["scores_page"]


def scores_page(
    scores: Scored,
    path: Path | str,
    *,
    model: str,
    title: str,
    under: str = "",
    averaged: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    command: str = "",
    look: str = "",
    then: str = "",
) -> Path:
    """Write it: the result in a sentence, all scores and longer tables, and links to `files`; returns its path.

    `under` says below the title who answered; `averaged` are columns of items, each with its score's name, whose means
    are told of each recording. `command` is what made the page, `look` what shows it frame by frame, `then` what to do
    next. Raises FileError.
    """
    scored = {model: scores}
    body = [
        lead_html(scored),
        section("Scores", scores_html(scored)),
        details_html(scored),
        by_recording_html(scores, averaged or {}),
        section("Files", links_html(files, Path(path))),
    ]
    return write_page(path, title=title, under=under, command=command, look=look, then=then, body="".join(body))
