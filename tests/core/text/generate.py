"""Writes the sentences of the corpus that are made by rule: `python -m tests.core.text.generate SEED HALF COUNT`.

Each line is a sentence as it is spoken, a tab, and the same as it should be written, with its entities marked:
`{type:as written=value}`; the value is left out where it is what is written, or its digits. The two halves are made
with carrier sentences of their own.
"""

import random
import sys
from collections.abc import Callable
from decimal import Decimal

from num2words import num2words

Spoken, Marked = str, str
Made = tuple[Spoken, Marked]

DIGITS = "zero um dois três quatro cinco seis sete oito nove".split()
MONTHS = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split()
CARRIERS = {
    "fixed": {
        "cpf": ["meu CPF é {}", "o CPF do titular é {}", "pode anotar o CPF {} por favor", "{}"],
        "cnpj": ["o CNPJ é {}", "a empresa tem o CNPJ {}", "CNPJ {}"],
        "cep": ["o CEP é {}", "meu CEP é {}", "moro no CEP {}"],
        "phone": ["meu telefone é {}", "liga no {}", "o celular dela é {}", "pode me chamar no {} depois"],
        "money": ["custou {}", "paguei {} na loja", "a conta deu {}", "{}"],
        "date": ["nasci em {}", "vence em {}", "foi no dia {} que aconteceu", "{}"],
        "time": ["começa às {}", "chego às {}", "marcado para às {} de amanhã"],
        "percent": ["subiu {}", "um desconto de {} à vista", "{} dos alunos"],
        "number": ["são {} pessoas", "faltam {} metros", "tem {} caixas no depósito"],
        "ordinal": ["a {} edição", "é a {} vez que ligo"],
        "email": ["meu e-mail é {}", "manda para {}", "o contato é {}"],
        "card": ["o número do cartão é {}", "cartão {}"],
    },
    "unseen": {
        "cpf": ["boa tarde, o meu CPF é {}", "titular com CPF {}", "anota aí {}, é o do meu pai", "CPF número {}."],
        "cnpj": ["nota no CNPJ {}", "a gente usa o CNPJ {} para comprar", "é o {}"],
        "cep": ["entrega no CEP {}", "CEP {}, por favor", "o CEP da rua é {}."],
        "phone": ["meu número de telefone é {}", "chama no WhatsApp {}", "telefone para contato {}", "retorne no {}."],
        "money": ["o boleto é de {}", "quero transferir {} agora", "sobraram {}.", "ela deve {} ao banco"],
        "date": ["a consulta é em {}", "desde {} não chove", "o contrato vai até {}.", "assinado em {} em cartório"],
        "time": ["a loja abre às {}", "me liga às {}", "às {} eu saio", "ficou para amanhã às {}."],
        "percent": ["caiu {}", "juros de {} ao ano", "só {} responderam", "bateria em {}."],
        "number": ["vieram {} convidados", "andei {} quilômetros", "cabem {} carros na garagem", "são {} ao todo"],
        "ordinal": ["moro na {} rua", "foi a {} colocada"],
        "email": ["anota meu e-mail {}", "pode escrever para {}", "o endereço de e-mail é {}", "e-mail: {}"],
        "card": ["vou pagar com o cartão {}", "o cartão é o {}"],
    },
}


def words(value: int | Decimal, **options: str) -> str:
    """A number as Brazilians say it."""
    return num2words(value, lang="pt_BR", **options).replace(",", "")


def pick(rng: random.Random, digits: str, six: str = "seis") -> str:
    """Digits one by one, with a 6 called as `six`."""
    return " ".join(six if digit == "6" else DIGITS[int(digit)] for digit in digits)


def grouped(rng: random.Random, groups: list[str]) -> str:
    """Digits one by one or by their groups, with or without a comma between these."""
    six = rng.choice(["seis", "meia"])
    how = rng.choice(["digits", "digits", "digits", "commas", "numbers"])
    if how == "numbers":
        return " ".join(words(int(group)) if group[0] != "0" else pick(rng, group) for group in groups)
    return (", " if how == "commas" else " ").join(pick(rng, group, six) for group in groups)


def check(digits: str, weights: range) -> str:
    """A check digit modulo 11."""
    rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    return str(0 if rest < 2 else 11 - rest)


def cpf(rng: random.Random) -> Made:
    digits = "".join(rng.choices("0123456789", k=9))
    digits += check(digits, range(10, 1, -1))
    digits += check(digits, range(11, 1, -1))
    groups = [digits[:3], digits[3:6], digits[6:9], digits[9:]]
    written = f"{groups[0]}.{groups[1]}.{groups[2]}-{groups[3]}"
    spoken = rng.choice([grouped(rng, groups)] * 4 + [written, digits, " ".join(groups)])
    return spoken, f"{{cpf:{written}={digits}}}"


def cnpj(rng: random.Random) -> Made:
    digits = "".join(rng.choices("0123456789", k=8)) + "0001"
    for _ in range(2):
        weights = [*range(len(digits) - 7, 1, -1), *range(9, 1, -1)]
        rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
        digits += str(0 if rest < 2 else 11 - rest)
    groups = [digits[:2], digits[2:5], digits[5:8], digits[8:12], digits[12:]]
    spoken = rng.choice(
        [grouped(rng, groups), f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}/{digits[8:12]}-{digits[12:]}"]
    )
    return spoken, f"{{cnpj:{digits[:2]}.{digits[2:5]}.{digits[5:8]}/{digits[8:12]}-{digits[12:]}={digits}}}"


def cep(rng: random.Random) -> Made:
    digits = str(rng.randrange(1_000_000, 99_999_999)).zfill(8)
    spoken = rng.choice([grouped(rng, [digits[:5], digits[5:]]), pick(rng, digits), digits])
    if "mil" in spoken:
        spoken = pick(rng, digits)
    return spoken, f"{{cep:{digits[:5]}-{digits[5:]}={digits}}}"


def phone(rng: random.Random) -> Made:
    area = rng.choice("11 12 19 21 27 31 41 48 51 61 62 71 81 85 91".split())
    mobile = rng.random() < 0.7
    first = (
        "9" + "".join(rng.choices("0123456789", k=4))
        if mobile
        else rng.choice("2345") + "".join(rng.choices("0123456789", k=3))
    )
    last = "".join(rng.choices("0123456789", k=4))
    comma, six = rng.choice(["", "", ","]), rng.choice(["seis", "meia"])
    code = rng.choice([words(int(area)), pick(rng, area)])
    spoken = f"{code}{comma} {pick(rng, first, six)}{comma} {pick(rng, last, six)}"
    spoken = rng.choice([spoken] * 4 + [f"{area} {first}-{last}", f"{area}{first}{last}"])
    return spoken, f"{{phone:({area}) {first}-{last}={area}{first}{last}}}"


def dotted(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def money(rng: random.Random) -> Made:
    whole = rng.choice([rng.randrange(2, 100), rng.randrange(100, 1000), rng.randrange(1000, 30_000)])
    cents = rng.choice([0, 0, rng.randrange(1, 100)])
    if not cents:
        return f"{words(whole)} reais", f"{{money:R$ {dotted(whole)}={whole}}}"
    spoken = f"{words(whole)} reais e {words(cents)} {'centavo' if cents == 1 else 'centavos'}"
    return spoken, f"{{money:R$ {dotted(whole)},{cents:02}={whole}.{cents:02}}}"


def date(rng: random.Random) -> Made:
    day, month, year = rng.randrange(1, 29), rng.randrange(1, 13), rng.randrange(1950, 2035)
    name = MONTHS[month - 1]
    said = "primeiro" if day == 1 else words(day)
    shown = "1º" if day == 1 else str(day)
    if rng.random() < 0.4:
        return f"{said} de {name}", f"{{date:{shown} de {name}=--{month:02}-{day:02}}}"
    if rng.random() < 0.2 and day > 1:
        spoken = f"{words(day)} do {words(month)} de {words(year)}"
        return spoken, f"{{date:{day:02}/{month:02}/{year}={year}-{month:02}-{day:02}}}"
    return f"{said} de {name} de {words(year)}", f"{{date:{shown} de {name} de {year}={year}-{month:02}-{day:02}}}"


def time(rng: random.Random) -> Made:
    hour, minute = rng.randrange(2, 24), rng.choice([0, 5, 10, 15, 20, 30, 40, 45, 50])
    feminine = {1: "uma", 2: "duas", 21: "vinte e uma", 22: "vinte e duas"}
    said = feminine.get(hour, words(hour))
    part, value = "", hour
    if hour < 12 and rng.random() < 0.4:
        part = rng.choice([" da manhã"] if hour > 5 else [" da tarde"])
        value = hour + 12 * (part == " da tarde")
    if minute == 30 and hour < 13:
        said += " e meia"
    elif minute:
        said += f" e {words(minute)}"
    elif not part:
        said += " horas"
    return said + part, f"{{time:{hour}:{minute:02}{part}={value:02}:{minute:02}}}"


def percent(rng: random.Random) -> Made:
    whole, tenth = rng.randrange(1, 101), rng.choice([0, 0, rng.randrange(1, 10)])
    if tenth and whole < 100:
        return f"{words(whole)} vírgula {DIGITS[tenth]} por cento", f"{{percent:{whole},{tenth}%={whole}.{tenth}}}"
    return f"{words(whole)} por cento", f"{{percent:{whole}%={whole}}}"


def number(rng: random.Random) -> Made:
    value = rng.choice(
        [rng.randrange(11, 100), rng.randrange(100, 1000), rng.randrange(1001, 10_000), rng.randrange(10_001, 900_000)]
    )
    shown = dotted(value) if value >= 10_000 else str(value)
    return words(value), f"{{number:{shown}={value}}}"


def ordinal(rng: random.Random) -> Made:
    value = rng.randrange(11, 100)
    said = " ".join(word[:-1] + "a" for word in words(value, to="ordinal").split())
    return said, f"{{ordinal:{value}ª}}"


def email(rng: random.Random) -> Made:
    name, family = (
        rng.choice(["ana", "bruno", "carla", "diego", "érica"]),
        rng.choice(["souza", "lima", "araújo", "dias"]),
    )
    domain = rng.choice([("gmail", "com"), ("hotmail", "com"), ("uol", "com", "br"), ("terra", "com", "br")])
    mark, sign = rng.choice([("ponto", "."), ("underline", "_"), ("traço", "-")])
    tail = rng.choice([("", ""), (" vinte e dois", "22"), (" sete", "7")])
    plain = f"{name}{sign}{family}{tail[1]}@{'.'.join(domain)}".replace("é", "e").replace("ú", "u")
    return f"{name} {mark} {family}{tail[0]} arroba {' ponto '.join(domain)}", f"{{email:{plain}}}"


def card(rng: random.Random) -> Made:
    digits = "4" + "".join(rng.choices("0123456789", k=14))
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(digits)]
    digits += str(-sum(value // 10 + value % 10 for value in doubled) % 10)
    groups = [digits[at : at + 4] for at in (0, 4, 8, 12)]
    spoken = rng.choice([", ".join(pick(rng, group) for group in groups), pick(rng, digits), " ".join(groups)])
    return spoken, f"{{card:**** **** **** {groups[-1]}={groups[-1]}}}"


MAKERS: dict[str, Callable[[random.Random], Made]] = {
    "cpf": cpf, "cnpj": cnpj, "cep": cep, "phone": phone, "money": money, "date": date, "time": time,
    "percent": percent, "number": number, "ordinal": ordinal, "email": email, "card": card,
}  # fmt: skip


def main(seed: str, half: str, count: str) -> None:
    """Write so many lines."""
    rng = random.Random(int(seed))
    for at in range(int(count)):
        kind = list(MAKERS)[at % len(MAKERS)]
        spoken, marked = MAKERS[kind](rng)
        carrier = rng.choice(CARRIERS[half][kind])
        sys.stdout.write(f"{carrier.format(spoken)}\t{carrier.format(marked)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
