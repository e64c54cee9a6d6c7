"""Turns as callers take them, synthesised by espeak-ng: what is dictated, with pauses inside it whose place is known.

Phrases, names and numbers of one half are heard while rules are made (`tuning`), those of the other only when they are
judged (`judging`). Whatever is said is made up; a CPF has its check digits all the same.
"""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from num2words import num2words

from benchmarks.answers import spoken
from benchmarks.clips import SAMPLE_RATE

Half = Literal["tuning", "judging"]
HALVES: tuple[Half, ...] = ("tuning", "judging")

SPEEDS = (105, 120, 135)
"""Words a minute, in turn: slowly, as people dictate. Faster, a small model understands no synthesiser."""
SHORTEST_S, LONGEST_S = 0.3, 1.8
"""Pauses inside a turn."""
RUN_ON = 0.25
"""Share of the places for a pause where none is made."""
TOGETHER_S = 0.06
"""Between groups that are said without a pause."""
LEAD_S, TAIL_S = 0.4, 3.6
"""Before and after a turn; the tail is longer than any policy waits."""
NOISE = 0.0005
"""Root mean square of what is heard in silence: -66 dB of full scale. Not digital silence, which no line has."""
MEIA = 0.5
"""How often 6 is said "meia"."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn."""

    name: str
    kind: str
    pcm: np.ndarray
    """int16, shape `(samples,)`, 16 kHz."""
    pieces: tuple[tuple[int, str], ...]
    """What is said, in order, each with the sample after its last."""

    @property
    def end(self) -> int:
        """The sample after the last that is speech."""
        return self.pieces[-1][0]

    def said_by(self, position: int) -> str:
        """What has been said by a sample."""
        return " ".join(text for end, text in self.pieces if end <= position)


Pieces = list[str]
"""What is said, cut where a pause may be."""


class _Speaker:
    """Chooses what is said."""

    def __init__(self, half: Half, seed: int) -> None:
        self._half = HALVES.index(half)
        self.random = np.random.default_rng([seed, self._half])

    def one(self, phrases: Sequence[str]) -> str:
        """One of this half's phrases; of the whole, there is one in each half."""
        mine = phrases[self._half :: 2]
        return mine[int(self.random.integers(len(mine)))]

    def digits(self, count: int, *, first: str = "0123456789") -> str:
        """Digits at random."""
        rest = "".join(map(str, self.random.integers(0, 10, count - 1)))
        return first[int(self.random.integers(len(first)))] + rest

    def chance(self, share: float) -> bool:
        """Whether something is so, this time."""
        return bool(self.random.random() < share)

    def spelt(self, digits: str, *, singly: float = 0.7) -> str:
        """Digits one by one, or as a number."""
        if digits[0] != "0" and not self.chance(singly):
            return _words(int(digits))
        six = "meia" if self.chance(MEIA) else "seis"
        return " ".join(six if digit == "6" else _words(int(digit)) for digit in digits)


def _cpf(say: _Speaker) -> Pieces:
    digits = say.digits(9)
    for _ in range(2):
        rest = sum(int(d) * w for d, w in zip(digits, range(len(digits) + 1, 1, -1), strict=True)) % 11
        digits += str(0 if rest < 2 else 11 - rest)
    groups = [say.spelt(group) for group in (digits[:3], digits[3:6], digits[6:9], digits[9:])]
    return [*_opened(say, "meu CPF é|o CPF é|é o CPF|CPF|anota aí o CPF|o número do meu CPF é"), *groups]


def _phone(say: _Speaker) -> Pieces:
    area = say.one("11 21 31 41 51 61 71 81 19 27 48 62 85 92 13 43".split())
    first, last = "9" + say.digits(4, first="6789"), say.digits(4)
    split = say.chance(0.5)
    middle = [say.spelt(first[:3]), say.spelt(first[3:])] if split else [say.spelt(first, singly=1.0)]
    carriers = "meu telefone é|meu celular é|o número é|o telefone de contato é|pode ligar no|anota meu WhatsApp"
    return [*_opened(say, carriers), say.spelt(area), *middle, say.spelt(last)]


def _cep(say: _Speaker) -> Pieces:
    digits = say.digits(8)
    return [*_opened(say, "o CEP é|meu CEP é|o CEP da minha rua é|CEP"), say.spelt(digits[:5], singly=1.0),
            say.spelt(digits[5:])]  # fmt: skip


def _protocol(say: _Speaker) -> Pieces:
    digits = say.digits(9)
    opened = _opened(say, "o protocolo é|o número do pedido é|o código é|o número da conta é")
    return [*opened, *(say.spelt(digits[at : at + 3]) for at in (0, 3, 6))]


def _date(say: _Speaker) -> Pieces:
    months = "março maio julho agosto outubro novembro janeiro dezembro abril junho".split()
    day, year = int(say.random.integers(2, 29)), int(say.random.integers(1950, 2007))
    carriers = "eu nasci em|eu nasci no dia|minha data de nascimento é|a data é|nasci dia|foi no dia"
    return [say.one(carriers.split("|")), f"{_words(day)} de", f"{say.one(months)} de", _words(year)]


def _money(say: _Speaker) -> Pieces:
    reais, cents = int(say.random.integers(20, 990)), int(say.random.integers(10, 99))
    carriers = "o valor da fatura é|eu paguei|veio cobrado|o boleto é de|a conta deu|o total ficou em"
    return [say.one(carriers.split("|")), f"{_words(reais)} reais", f"e {_words(cents)} centavos"]


def _address(say: _Speaker) -> Pieces:
    carriers = "eu moro na|o endereço é|moro na|fica na"
    streets = (
        "rua das Flores|avenida Brasil|rua Sete de Setembro|avenida Paulista|rua São João|rua Quinze de Novembro"
        "|travessa da Paz|alameda Santos|rua Dom Pedro|avenida Getúlio Vargas"
    )
    towns = "no centro|em Campinas|no bairro Boa Vista|em Curitiba|em São Paulo|no Jardim América"
    number, flat = int(say.random.integers(10, 1500)), int(say.random.integers(11, 150))
    return [say.one(carriers.split("|")), say.one(streets.split("|")), f"número {_words(number)}",
            *([f"apartamento {_words(flat)}"] if say.chance(0.5) else []), say.one(towns.split("|"))]  # fmt: skip


def _email(say: _Speaker) -> Pieces:
    carriers = "meu e-mail é|o e-mail é|pode mandar para|anota o e-mail"
    first, last = say.one(_FIRST), say.one(_LAST)
    host = say.one("gmail ponto com|hotmail ponto com|outlook ponto com|yahoo ponto com ponto br".split("|"))
    name, dot, rest = host.partition(" ponto ")
    return [*_opened(say, carriers), first, f"ponto {last}", f"arroba {name}", f"{dot.strip()} {rest}"]


def _name(say: _Speaker) -> Pieces:
    carriers = "meu nome é|aqui é|quem fala é|o nome completo é|o titular é|meu nome completo é"
    return [say.one(carriers.split("|")), say.one(_FIRST), f"{say.one(['da', 'de', 'dos', 'do'])} {say.one(_LAST)}"]


def _request(say: _Speaker) -> Pieces:
    begun = (
        "bom dia, eu queria|oi, eu preciso|eu gostaria de|boa tarde, eu quero|então, eu estou tentando"
        "|olha, eu precisava|é que eu não consegui|deixa eu ver, eu queria"
    )
    what = (
        "saber o valor|cancelar o meu plano|falar com um atendente|mudar o endereço|remarcar a consulta"
        "|pagar o boleto|trocar a senha|confirmar o pedido"
    )
    more = (
        "da minha fatura|porque eu mudei de cidade|do mês passado|que eu fiz na semana passada|para a próxima semana"
        "|mas o site não abre|e não recebi resposta|do meu filho"
    )
    return [say.one(begun.split("|")), say.one(what.split("|")), say.one(more.split("|"))]


def _sentence(say: _Speaker) -> Pieces:
    """Said without a pause: what ends here is over."""
    number = int(say.random.integers(5, 90))
    sentences = (
        f"são {_words(number)} pessoas|eu tenho {_words(number)} anos|eu não recebi a fatura|quero falar com o gerente"
        f"|o pedido chegou quebrado|custou {_words(number)} reais|a internet caiu de novo"
        f"|quero pagar em {_words(6)} vezes|amanhã de manhã eu posso|vocês abrem no sábado|pode ser na quinta-feira"
        f"|eu já paguei essa conta|{_words(number)}|{_words(number + 100)}"
        f"|pode ser às {_words(number % 12 + 3)} horas|é isso mesmo que eu quero|não é esse o problema"
    )
    return [say.one(sentences.split("|"))]


def _answer(say: _Speaker) -> Pieces:
    answers = "sim|não|isso mesmo|pode ser|claro|tá bom|não, obrigado|sim, por favor|isso|correto|com certeza|certo"
    return [say.one(answers.split("|"))]


KINDS: dict[str, tuple[Callable[[_Speaker], Pieces], float]] = {
    "cpf": (_cpf, 0.16),
    "phone": (_phone, 0.14),
    "cep": (_cep, 0.06),
    "protocol": (_protocol, 0.05),
    "date": (_date, 0.07),
    "money": (_money, 0.07),
    "address": (_address, 0.08),
    "email": (_email, 0.08),
    "name": (_name, 0.08),
    "request": (_request, 0.09),
    "sentence": (_sentence, 0.08),
    "answer": (_answer, 0.04),
}
"""What is said, and its share of the turns."""
_FIRST = "Maria João Ana Pedro Juliana Carlos Fernanda Rafael Beatriz Lucas Camila Gustavo".split()
_LAST = "Silva Souza Oliveira Santos Pereira Lima Costa Almeida Ferreira Rocha Ribeiro Carvalho".split()


def dictation(half: Half, count: int, voices: Sequence[str], seed: int) -> list[Turn]:
    """So many turns, always the same for the same seed. Raises `SystemExit` where espeak-ng is not installed."""
    program = shutil.which("espeak-ng")
    if not program:
        raise SystemExit("`turns` needs espeak-ng")
    say = _Speaker(half, seed)
    makers = [maker for maker, _ in KINDS.values()]
    shares = np.array([share for _, share in KINDS.values()])
    kinds = say.random.choice(len(makers), count, p=shares / shares.sum())
    scripts = [(list(KINDS)[kind], *_script(say, makers[kind](say))) for kind in kinds]

    def turn(n: int) -> Turn:
        kind, pieces, gaps = scripts[n]
        voice, speed = voices[n % len(voices)], SPEEDS[n // len(voices) % len(SPEEDS)]
        return _turn(f"{half}/{n:03}", kind, pieces, [spoken(program, voice, piece, speed) for piece in pieces], gaps)

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(turn, range(count)))


def _script(say: _Speaker, pieces: Pieces) -> tuple[Pieces, list[float]]:
    """The pieces, and the seconds after each but the last; of several places at least one has a pause."""
    gaps = [TOGETHER_S if say.chance(RUN_ON) else float(say.random.uniform(SHORTEST_S, LONGEST_S)) for _ in pieces[1:]]
    if gaps and max(gaps) < SHORTEST_S:
        gaps[int(say.random.integers(len(gaps)))] = float(say.random.uniform(SHORTEST_S, LONGEST_S))
    return pieces, gaps


def with_tail(name: str, kind: str, pcm: np.ndarray, pieces: tuple[tuple[int, str], ...]) -> Turn:
    """A turn of this audio, followed by silence in which its end is found; silence is a little noisy."""
    pcm = np.concatenate([pcm, _silence(TAIL_S)])
    noise = np.random.default_rng(len(pcm)).normal(0, NOISE * 32768, pcm.size)
    return Turn(name, kind, np.clip(pcm + noise, -32768, 32767).astype(np.int16), pieces)


def _turn(name: str, kind: str, texts: Pieces, audio: Sequence[np.ndarray], gaps: Sequence[float]) -> Turn:
    parts, ends = [_silence(LEAD_S)], []
    for piece, gap in zip(audio, [*gaps, 0.0], strict=True):
        ends.append(sum(part.size for part in parts) + piece.size)
        parts += [piece, _silence(gap)]
    return with_tail(name, kind, np.concatenate(parts), tuple(zip(ends, texts, strict=True)))


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * SAMPLE_RATE), np.int16)


def _opened(say: _Speaker, carriers: str) -> Pieces:
    """How a number begins; some are said without any words before them, as when they were asked for."""
    return [] if say.chance(0.3) else [say.one(carriers.split("|"))]


def _words(number: int) -> str:
    return str(num2words(number, lang="pt_BR")).replace(",", "")
