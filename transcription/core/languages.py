"""The languages Whisper knows (openai/whisper, whisper/tokenizer.py, `LANGUAGES`): codes, and names in English."""

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


def normalise_language(code: str) -> str | None:
    """Whisper's code for a language tag (`pt-BR`, `pt_br` and `PT` are `pt`); `None` for one it does not know."""
    base = code.replace("_", "-").partition("-")[0].lower()
    return base if base in LANGUAGES else None
