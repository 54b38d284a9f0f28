"""In which languages a reader's texts are: told by py3langid, which gives each of 139 languages a probability."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fortydays.base.text import printable

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SAMPLED = 1_000
"""Texts that are looked at, at most."""

UNTOLD = "not told"
"""In the place of a language: what has too few words, or words of no language."""

_CHARACTERS = 1_000
_SURE = 0.9
"""A language of a lower probability is not told: most texts of two or three words have none that is higher."""

_LEAST = 0.01
"""Languages of a smaller share are not told: more texts than that are taken for another language by mistake."""

_MUCH = 0.05
"""A second language of at least this share is worth a note."""

_FEWEST = 10
"""Texts of a class, for a language to be said to give it away."""

_IN_CLASS, _ELSEWHERE = 0.9, 0.1
"""A language in at least this share of the texts of a class, and at most in that share of the others, tells it."""

_TAG = re.compile(r"<[^<>]{0,200}>")

_NAMES = """
ace Acehnese;af Afrikaans;am Amharic;an Aragonese;ar Arabic;ary Moroccan Arabic;arz Egyptian Arabic;as Assamese;
az Azerbaijani;ba Bashkir;bcl Central Bikol;be Belarusian;bg Bulgarian;bn Bengali;br Breton;bs Bosnian;ca Catalan;
crh Crimean Tatar;cs Czech;cy Welsh;da Danish;de German;dz Dzongkha;el Greek;en English;eo Esperanto;es Spanish;
et Estonian;eu Basque;ext Extremaduran;fa Persian;fi Finnish;fo Faroese;fr French;fuv Nigerian Fulfulde;
fy Western Frisian;ga Irish;gcf Guadeloupean Creole;gcr Guianese Creole;gd Scottish Gaelic;gl Galician;
gom Goan Konkani;grc Ancient Greek;gu Gujarati;gug Paraguayan Guarani;guw Gun;ha Hausa;hbo Ancient Hebrew;he Hebrew;
hi Hindi;hr Croatian;ht Haitian Creole;hu Hungarian;hy Armenian;id Indonesian;ig Igbo;is Icelandic;it Italian;
ja Japanese;jv Javanese;ka Georgian;kab Kabyle;kik Kikuyu;kk Kazakh;km Khmer;kn Kannada;ko Korean;ku Kurdish;
ky Kyrgyz;la Latin;lb Luxembourgish;lg Ganda;lij Ligurian;ln Lingala;lo Lao;lt Lithuanian;ltg Latgalian;lv Latvian;
mg Malagasy;mk Macedonian;ml Malayalam;mn Mongolian;mr Marathi;ms Malay;mt Maltese;my Burmese;ne Nepali;nl Dutch;
nn Norwegian Nynorsk;no Norwegian;nso Northern Sotho;oc Occitan;om Oromo;or Odia;pa Punjabi;pcm Nigerian Pidgin;
pl Polish;ps Pashto;pt Portuguese;qu Quechua;ro Romanian;ru Russian;rw Kinyarwanda;sa Sanskrit;sdh Southern Kurdish;
se Northern Sami;si Sinhala;sk Slovak;sl Slovenian;sn Shona;so Somali;sq Albanian;sr Serbian;st Southern Sotho;
sv Swedish;sw Swahili;ta Tamil;te Telugu;tg Tajik;th Thai;tk Turkmen;tl Tagalog;tr Turkish;tt Tatar;ug Uyghur;
uk Ukrainian;ur Urdu;uz Uzbek;uzs Southern Uzbek;vec Venetian;vi Vietnamese;vo Volapük;wa Walloon;wuu Wu Chinese;
xh Xhosa;yo Yoruba;yue Cantonese;zh Chinese;zu Zulu
"""
NAMES = dict(each.strip().split(" ", 1) for each in _NAMES.split(";"))
"""The languages that can be told, by their codes in ISO 639."""


def languages_of(texts: Sequence[str]) -> list[str]:
    """The language of each text in English, or :data:`UNTOLD`. The first thousand characters of a text decide.

    Tags of HTML are left out, and so is the case of texts in capitals: both look like other languages.
    """
    identifier = _identifier()
    found = []
    for text in texts:
        begin = _TAG.sub(" ", text[:_CHARACTERS])
        code, probability = identifier.classify(begin.lower() if begin.isupper() else begin)
        found.append(NAMES.get(code, UNTOLD) if probability >= _SURE else UNTOLD)
    return found


def counted_languages(languages: Sequence[str]) -> dict[str, int]:
    """How many texts are in each language, the most frequent first; :data:`UNTOLD` comes last.

    Languages that hardly a text is in count as not told.
    """
    counts = Counter(languages)
    untold = counts.pop(UNTOLD, 0)
    told = sum(counts.values())
    often = {name: n for name, n in counts.items() if n >= _LEAST * told}
    untold += told - sum(often.values())
    ordered = dict(sorted(often.items(), key=lambda each: (-each[1], each[0])))
    return ordered | ({UNTOLD: untold} if untold else {})


def in_a_line(counts: Mapping[str, int]) -> str:
    """Counts of languages in a line, such as "English 95%, German 5%; 12 of 300 texts do not tell". "" without any."""
    if not counts:
        return ""
    told = {name: count for name, count in counts.items() if name != UNTOLD}
    untold, every = counts.get(UNTOLD, 0), sum(counts.values())
    if not told:
        return f"The language cannot be told of any of {every:,} texts"
    total = sum(told.values())
    shares = ", ".join(f"{name} {100 * count / total:.0f}%" for name, count in told.items())
    return shares + (f"; {untold:,} of {every:,} texts do not tell" if untold else "")


def notes_on(languages: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Sentences about texts in several languages, and about a language that gives a label away.

    Args:
        languages: of some texts, as :func:`languages_of` gives them.
        labels: of the same texts.
    """
    counts = counted_languages(languages)
    told = {name: count for name, count in counts.items() if name != UNTOLD}
    total = sum(told.values())
    if len(told) < 2 or sorted(told.values())[-2] < _MUCH * total:
        return []
    often = [name for name, count in told.items() if count >= _MUCH * total]
    found = [
        f"The texts are in several languages: {', '.join(often)}. What is learned from texts of one says little about "
        "texts of another, so each needs enough texts of every class."
    ]
    of_class: dict[str, Counter[str]] = {}
    for language, label in zip(languages, labels, strict=True):
        if language in told:
            of_class.setdefault(label, Counter())[language] += 1
    for label, inside in sorted(of_class.items()):
        language, count = inside.most_common(1)[0]
        among = inside.total()
        outside = total - among
        elsewhere = told[language] - count
        if among < _FEWEST or outside < _FEWEST:
            continue
        if count >= _IN_CLASS * among and elsewhere <= _ELSEWHERE * outside:
            found.append(
                f"{100 * count / among:.0f}% of the texts of {printable(label)!r} are in {language}, and "
                f"{100 * elsewhere / outside:.0f}% of the others. The model will tell languages apart, and not what "
                "the classes mean."
            )
    return found[:10]


def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
