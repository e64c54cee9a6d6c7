"""The languages Whisper knows (openai/whisper, whisper/tokenizer.py, `LANGUAGES`): codes, and names in English.

And the one rule by which a language is found out, which web and worker share: how much an utterance says for each of
those that it may be, and which one that makes likeliest with what was known before.
"""

import math
from collections.abc import Mapping

LANGUAGES = {
    code: name.replace("_", " ")
    for code, _, name in (
        pair.partition("=")
        for pair in """
    af=afrikaans am=amharic ar=arabic as=assamese az=azerbaijani ba=bashkir be=belarusian bg=bulgarian bn=bengali
    bo=tibetan br=breton bs=bosnian ca=catalan cs=czech cy=welsh da=danish de=german el=greek en=english es=spanish
    et=estonian eu=basque fa=persian fi=finnish fo=faroese fr=french gl=galician gu=gujarati ha=hausa haw=hawaiian
    he=hebrew hi=hindi hr=croatian ht=haitian_creole hu=hungarian hy=armenian id=indonesian is=icelandic it=italian
    ja=japanese jw=javanese ka=georgian kk=kazakh km=khmer kn=kannada ko=korean la=latin lb=luxembourgish ln=lingala
    lo=lao lt=lithuanian lv=latvian mg=malagasy mi=maori mk=macedonian ml=malayalam mn=mongolian mr=marathi ms=malay
    mt=maltese my=myanmar ne=nepali nl=dutch nn=nynorsk no=norwegian oc=occitan pa=punjabi pl=polish ps=pashto
    pt=portuguese ro=romanian ru=russian sa=sanskrit sd=sindhi si=sinhala sk=slovak sl=slovenian sn=shona so=somali
    sq=albanian sr=serbian su=sundanese sv=swedish sw=swahili ta=tamil te=telugu tg=tajik th=thai tk=turkmen
    tl=tagalog tr=turkish tt=tatar uk=ukrainian ur=urdu uz=uzbek vi=vietnamese yi=yiddish yo=yoruba yue=cantonese
    zh=chinese
        """.split()
    )
}
PORTUGUESE = "pt"
"""Whose texts have rules here: how they are written, and when a turn is over."""


AUTO = "auto"
"""Asks for the language to be found out."""
ENOUGH_S = 2.0
"""Seconds of audio from which an utterance says all that it can of its language; a shorter one says less."""
MOST_EVIDENCE = 3.0
"""What one utterance says for one language over another, at most (natural logarithm of odds, 20 to 1): Whisper is
sure of a language that it has got wrong, too."""
LEAST_PROBABILITY = 1e-6


def evidence(probabilities: Mapping[str, float], seconds: float) -> dict[str, float]:
    """What an utterance says for each language against the one it says most for: 0 for that, less for the others.

    `probabilities` are those of the languages that it may be, `seconds` is how much audio they were found in.
    """
    most = max(probabilities.values())
    counts = min(seconds / ENOUGH_S, 1.0)
    return {
        code: max(counts * math.log(max(value, LEAST_PROBABILITY) / max(most, LEAST_PROBABILITY)), -MOST_EVIDENCE)
        for code, value in probabilities.items()
    }


def likeliest(known: Mapping[str, float], heard: Mapping[str, float]) -> str:
    """The language for which what was known before and what is heard now say most; of equals, the one known best."""
    return max(known, key=lambda code: (known[code] + heard.get(code, -MOST_EVIDENCE), known[code]))


def normalise_language(code: str) -> str | None:
    """Whisper's code for a language tag (`pt-BR`, `pt_br` and `PT` are `pt`); `None` for one it does not know."""
    base = code.replace("_", "-").partition("-")[0].lower()
    return base if base in LANGUAGES else None
