"""Verdicts as the scripts of pages show them."""

from collections.abc import Mapping

from fortydays.report.palette import OF_DEMONSTRATIONS, SIGNS
from fortydays.study.judgement import Verdict, word_of

WORDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    kind: {str(v): (signs[v], word_of(v, demonstration=kind == "demonstration")) for v in Verdict}
    for kind, signs in (("claim", SIGNS), ("demonstration", OF_DEMONSTRATIONS))
}
"""Sign and word of each verdict, on a claim and on a demonstration."""
