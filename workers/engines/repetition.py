"""What a model says again and again, and what of it was said.

Whisper repeats itself in two ways. In a window that ends soon after the speech it says the finished sentence once more;
and on sounds that go on (a hummed vowel, "não, não, não") it finds no way out and repeats a syllable or a word until
its tokens are used up. People repeat themselves too, and digits are repeated in any telephone number. So copies of a
phrase are made one, words that fit into the audio stay as often as they were heard, numbers and letters that are spelt
always, and nothing that comes after a repetition is lost.
"""

import re
import zlib
from unicodedata import category

MOST_CHARS_PER_S = 25
"""Nobody speaks faster: some 8 syllables a second of 2 to 3 letters, with spaces."""
FEWEST_CHARS = 25
"""Allowed however short the audio is."""
PHRASE = 3
"""Words that make a phrase: shorter ones ("tá bom, tá bom") are repeated by people as a matter of course."""
MONOTONOUS = 5
"""Times in a row from which a single word is worth another look: "O O O O O" was "esse tema foi falado"."""
LONGEST_WORD = 30
"""Of letters without a hyphen; Portuguese has 29 for its longest in use. What is longer may be a loop inside a word."""
LOOPING_COMPRESSION = 2.4
"""Ratio above which a text is taken for a loop (openai/whisper, transcribe.py `compression_ratio_threshold`)."""
KEPT = 3
"""Copies that are left of a syllable in such a word."""

_SYLLABLES = re.compile(r"(\w{1,4}?\W?)\1{4,}", re.IGNORECASE)
_NUMBERS = frozenset(
    # of Portuguese, English (the default model's language), Spanish, French, German and Italian
    """
    zero um uma dois duas três quatro cinco seis meia sete oito nove dez onze doze treze quatorze catorze quinze
    dezesseis dezessete dezoito dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem cento
    duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos mil milhão milhões
    duzentas trezentas quatrocentas quinhentas seiscentas setecentas oitocentas novecentas dezasseis dezassete dezanove
    bilhão bilhões primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo
    oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
    cero uno dos tres cuatro cinco seis siete ocho nueve diez veinte treinta cuarenta cincuenta sesenta setenta ochenta
    noventa cien ciento
    zéro un deux trois quatre cinq six sept huit neuf dix vingt trente quarante cinquante soixante cent mille
    null eins zwei zwo drei vier fünf sechs sieben acht neun zehn zwanzig dreißig vierzig fünfzig hundert
    due tre quattro cinque sei sette otto nove dieci venti trenta quaranta cinquanta cento
    """.split()
)
_SPELT = frozenset(
    """
    á bê cê dê efe gê agá jota cá ele eme ene pê quê erre esse tê vê dáblio xis ípsilon zê
    alfa alpha bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar papa
    quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu
    """.split()
)
"""Names of letters; single letters are spelt as well."""


def most_chars(audio_s: float) -> int:
    """How long a text may be that was said in so much audio."""
    return max(int(MOST_CHARS_PER_S * audio_s), FEWEST_CHARS)


def is_loop(text: str, audio_s: float) -> bool:
    """Whether a text goes round in circles: it is too long for the audio, a word is a loop, or it compresses too well.

    Digits that are said again and again compress well, too.
    """
    words = text.split()
    if len(text) > most_chars(audio_s) or any(_is_long(word) for word in words):
        return True
    return compression_ratio(text) > LOOPING_COMPRESSION and not _has_number(plain(words))


def compression_ratio(text: str) -> float:
    """How well a text compresses; loops compress very well."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def plain(words: list[str]) -> list[str]:
    """Words as they are told apart: letters with their marks (Hindi's vowels are such) and digits, without case."""
    return ["".join(one for one in word.lower() if one.isalnum() or category(one)[0] == "M") for word in words]


def copy_at_end(text: str) -> bool:
    """Whether a text ends with a phrase that it has just said, as Whisper does where the window ends too soon."""
    words = plain(text.split())
    halves = range(PHRASE, len(words) // 2 + 1)
    return any(words[-2 * n : -n] == words[-n:] and _is_phrase(words[-n:], PHRASE) for n in halves)


def is_repeated(text: str) -> bool:
    """Whether a text is nothing but copies of its beginning: in a short window a "cinco" may come out as "5 5"."""
    words = plain(text.split())
    return any(words == words[:n] * (len(words) // n) for n in range(1, len(words) // 2 + 1))


def is_monotonous(text: str) -> bool:
    """Whether a text says one word over and over: people do, and so does a model that has found no way in."""
    words = plain(text.split())
    runs = (words[at : at + MONOTONOUS] for at in range(len(words) - MONOTONOUS + 1))
    return any(len(set(run)) == 1 and not _has_number(run) for run in runs)


def collapse(text: str, audio_s: float, known: int = 0) -> str:
    """The text without its copies; the first `known` words stay as they are.

    Of a phrase said again right after itself one copy is left. What then is still too long for the audio loses the
    copies of single words, and its end only if that is not enough.
    """
    words = text.split()
    fixed, rest = words[:known], [_shorten(word) for word in words[known:]]
    rest = _once(rest, PHRASE)
    if len(" ".join([*fixed, *rest])) > most_chars(audio_s):
        rest = _once(rest, 1)
    kept = fixed
    for word in rest:
        if len(" ".join([*kept, word])) > most_chars(audio_s):
            break
        kept = [*kept, word]
    return " ".join(kept)


def _once(words: list[str], shortest: int) -> list[str]:
    """Without copies of stretches of `shortest` or more words. The last copy goes on, so it is the one that stays."""
    at = 0
    while at < len(words):
        bare = plain(words)
        for length in range(shortest, (len(words) - at) // 2 + 1):
            stretch = bare[at : at + length]
            if stretch == bare[at + length : at + 2 * length] and _is_phrase(stretch, shortest):
                first = words[at]
                del words[at : at + length]
                words[at] = _as_capital(first, words[at])
                break
        else:
            at += 1
    return words


def _is_phrase(words: list[str], shortest: int) -> bool:
    """Whether a stretch may lose its copy.

    It holds no number, spells nothing, and no shorter stretch makes it up ("sim sim sim").
    """
    periods = (n for n in range(1, shortest) if len(words) % n == 0)
    spelt = all(len(word) == 1 or word in _SPELT for word in words)
    return not spelt and not _has_number(words) and not any(words == words[:n] * (len(words) // n) for n in periods)


def _has_number(words: list[str]) -> bool:
    return any(word in _NUMBERS or any(map(str.isdigit, word)) for word in words)


def _as_capital(first: str, word: str) -> str:
    """A word that now begins where another did."""
    return word[:1].upper() + word[1:] if first[:1].isupper() else word


def _is_long(word: str) -> bool:
    return len(word) > LONGEST_WORD and _shorten(word) != word


def _shorten(word: str) -> str:
    """A word with what loops inside it cut short; digits are never."""
    if len(word) <= LONGEST_WORD:
        return word
    shorter = _SYLLABLES.sub(lambda found: found[0] if any(map(str.isdigit, found[1])) else found[1] * KEPT, word)
    syllables = re.findall(r"\w+", shorter)
    # hummed with changes: "da-da-la-da-ra-la"; single letters are spelt, words are longer
    hummed = len(shorter) > LONGEST_WORD and all(len(one) in (2, 3) and one.isalpha() for one in syllables)
    return "-".join(syllables[:KEPT]) if hummed else shorter
