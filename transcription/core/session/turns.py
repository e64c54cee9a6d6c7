"""Whether a turn is over, by what was said up to a pause: Portuguese rules over the text that is decoded ahead.

What is *open* goes on: a number, a date or an address of which something is missing, words that nothing ends with.
What is *complete* needs nothing more: a whole CPF, a yes or no. The rest is *neutral*. The silence that ends the turn
follows from that, and from the session's mode; how long it has been silent is the endpointer's to know. Where the text
leaves it open, a model may have heard by how it was said whether the turn is over.
"""

from enum import Enum, auto

from transcription.core.config import VadConfig
from transcription.core.languages import PORTUGUESE
from transcription.core.session.dictated import Tail, tail_of
from transcription.core.text.dates import MONTHS
from transcription.core.text.digit_runs import LABEL
from transcription.core.text.formatting import format_text, items_of
from transcription.core.text.items import Items


class Verdict(Enum):
    """What is known of a turn up to a pause."""

    OPEN = auto()
    NEUTRAL = auto()
    COMPLETE = auto()
    DOUBTFUL = auto()
    """Its text says neither, but it does not sound over."""


_UNENDING = frozenset(
    "a à ao aos às de do da dos das em no na nos nas num numa por pelo pela pelos pelas para pra pro com sem sobre"
    " entre desde o os as uma e ou mas porque que se quando como pois nem meu minha seu sua meus minhas é são"
    " queria gostaria precisava tentando querendo cpf cnpj cep ponto vírgula virgula arroba traço tracinho hífen barra"
    " underline hum hm ahn hã ah eh éh".split()
)
"""No sentence ends with these."""
_FILLERS = frozenset(
    "então|bom|bem|olha|tipo|assim|tá|ó|é que|quer dizer|ou seja|eu quero|eu preciso|eu tenho|eu vou|oi eu".split("|")
)
"""All that was said, and not all that will be."""
_WAIT = tuple(
    "deixa eu ver|deixa eu pensar|deixe me ver|deixa ver|vou ver aqui|só um minuto|só um minutinho|só um momento"
    "|só um segundo|só um instante|um momentinho|peraí|pera aí|espera aí|como é que é".split("|")
)
"""Said by who looks for words."""
_ENDINGS = ("ponto com", "não é", "pois é", "o que é")
"""End with a word of `_UNENDING`, and are an end."""
_ANSWERS = frozenset(
    "sim|não|nao|isso|isso mesmo|isso aí|é isso|claro|certo|correto|exato|exatamente|ok|okay|tá|tá bom|tá certo"
    "|está bem|pode|pode ser|pode sim|com certeza|aham|uhum|positivo|negativo|sim senhor|sim senhora|não senhor"
    "|não senhora"
    "|sim por favor|não obrigado|não obrigada|sim obrigado|sim obrigada|não quero|quero sim|quero|é sim|não não|sim sim"
    "|perfeito|confirmo|confirmado|sim é isso|sim isso mesmo|sim pode|não precisa".split("|")
)
_GOING_ON = (",", "...", "…", "-", ":", ";")
"""How a model writes what was broken off."""
_STREETS = frozenset("rua avenida av travessa alameda".split())
_AT_HOME = frozenset("moro endereço fica mora".split())
_BIRTH = frozenset("nasci nasceu nascimento".split())
_YEARS, _MOST_OF_A_DATE = 1900, 8
"""From which on a number is a year, and how many words a date has before it."""
_AFTER_A_POINT = frozenset("de do da final com br".split())
_TO_WRITE = frozenset("anota anote".split())
_MAIL = frozenset({"e-mail", "email"})
_AT = frozenset({"arroba", "@"})
_ADDRESSED = _MAIL | _AT
_WHOLE_DOMAINS = (".br", "@gmail.com", "@hotmail.com", "@outlook.com", "@icloud.com", "@live.com")
"""What no ".br" follows."""
_MOST_OF_AN_ADDRESS = 10
"""Words that an e-mail address has, spelt out, and a street's name: whoever says more talks of something else."""


OVER = 0.5
"""From which probability on a turn sounds over: the model's own."""
DOUBT_MS = 1_500
"""How long a turn is held that does not sound over. Of those that are over many sound so, and a model's doubt is worth
less than half a CPF: livekit/eot-bench finds 1.0 to 1.5 s best for Portuguese."""


def are_judged(vad: VadConfig, language: str) -> bool:
    """Whether what was said, in this language, changes the silence that ends a turn: the rules are Portuguese."""
    return vad.turn_mode != "fixed" and language == PORTUGUESE


def judge(text: str, probability: float | None = None) -> Verdict:
    """Whether a turn is over, if speech has paused after this text.

    `probability` is that of its end by how it sounds; what is said goes before that. `None`: nobody knows.
    """
    verdict = by_text(text)
    if verdict is Verdict.NEUTRAL and probability is not None and probability < OVER:
        return Verdict.DOUBTFUL
    return verdict


def by_text(text: str) -> Verdict:
    """What a text says of its turn."""
    items = items_of(text)
    keys = [item.key or item.text for item in items.all if item.kind != "sign"]
    said = " ".join(keys)
    broken_off = text.rstrip().endswith(_GOING_ON)
    if not said:
        return Verdict.NEUTRAL
    if said in _ANSWERS and not broken_off:
        return Verdict.COMPLETE
    tail = tail_of(items)
    if tail and tail.is_dictated:
        return _of_digits(tail)
    if (verdict := _of_email(text, items)) is not Verdict.NEUTRAL:
        return verdict
    asked = text.rstrip().endswith("?")
    return Verdict.OPEN if broken_off or (not asked and _misses_something(items, keys, said)) else Verdict.NEUTRAL


def silence_ms(verdict: Verdict, vad: VadConfig) -> int:
    """The silence that ends a turn of which this is known, by the session's mode."""
    early = min(vad.min_silence_early_ms, vad.min_silence_ms)
    held = max(vad.max_hold_ms, vad.min_silence_ms)
    match vad.turn_mode, verdict:
        case "fixed", _:
            return vad.min_silence_ms
        case _, Verdict.OPEN:
            return held
        case _, Verdict.COMPLETE:
            return early
        case "dictation", _:
            return held
        case _, Verdict.DOUBTFUL:
            return max(min(held, DOUBT_MS), vad.min_silence_ms)
        case "short", _:
            return early
    return vad.min_silence_ms


def _of_digits(tail: Tail) -> Verdict:
    if tail.is_whole:
        return Verdict.COMPLETE
    return Verdict.OPEN if tail.is_short else Verdict.NEUTRAL


def _of_email(text: str, items: Items) -> Verdict:
    """Of an address that the text ends with, or that is begun in it."""
    keys = [item.key for item in items.all]
    if "@" not in text and _ADDRESSED.isdisjoint(keys):
        return Verdict.NEUTRAL  # as nearly always; finding entities is most of what a verdict takes
    for entity in format_text(text).entities[-1:]:
        if entity.type == "email":
            said_more = any(sign.isalnum() for sign in text[entity.spoken_end :])
            whole = entity.value.endswith(_WHOLE_DOMAINS) and not said_more
            return Verdict.COMPLETE if whole else Verdict.NEUTRAL
    begun = max((at for at, key in enumerate(keys) if key in _AT or (key in _MAIL and _is_named(keys, at))), default=-1)
    return Verdict.OPEN if begun >= 0 and len(keys) - begun <= _MOST_OF_AN_ADDRESS else Verdict.NEUTRAL


def _is_named(keys: list[str], at: int) -> bool:
    """Whether the address comes after this word for it."""
    return any(key in {"é", ":"} for key in keys[at + 1 : at + 3])


def _misses_something(items: Items, keys: list[str], said: str) -> bool:
    """Whether nobody would end so."""
    if said.endswith(_ENDINGS):
        return False
    if keys[-1] in _UNENDING or said in _FILLERS or said.endswith(_WAIT):
        return True
    return _lacks_its_year(items, keys) or _lacks_its_number(items, keys) or _lacks_its_end(keys)


def _lacks_its_year(items: Items, keys: list[str]) -> bool:
    """A date of birth, its day or month said or announced."""
    numbers = [item.value for item in items.all if item.kind == "number"]
    whole = any(item.type == "date" for item in items.all) or any(value >= _YEARS for value in numbers)
    begun = keys[-1] in {"dia", "nascimento"} or numbers or not MONTHS.keys().isdisjoint(keys)
    return bool(begun) and not whole and not _BIRTH.isdisjoint(keys[-_MOST_OF_A_DATE:])


def _lacks_its_number(items: Items, keys: list[str]) -> bool:
    """The address of a house."""
    street = max((at for at, key in enumerate(keys) if key in _STREETS), default=-1)
    numbered = any(item.kind == "number" for item in items.all[street:])
    return street >= 0 and not numbered and not _AT_HOME.isdisjoint(keys) and len(keys) - street <= _MOST_OF_AN_ADDRESS


def _lacks_its_end(keys: list[str]) -> bool:
    """An e-mail address up to its name's last part, a full name of one word, a number that is to be written down."""
    if len(keys) > 2 and keys[-2] == "ponto" and len(keys) <= _MOST_OF_AN_ADDRESS:
        return keys[-1] not in _AFTER_A_POINT
    if keys[-3:-1] == ["completo", "é"]:
        return True
    return keys[-1] in LABEL and not _TO_WRITE.isdisjoint(keys)
