"""What is said again: copies become one, digits stay, what follows is kept, and nothing outgrows its audio."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.repetition import collapse, copy_at_end, is_loop, is_monotonous, is_repeated, most_chars, plain


@pytest.mark.parametrize(
    ("text", "audio_s", "expected"),
    [
        ("vire à direita na avenida", 2.0, "vire à direita na avenida"),
        ("Vire à direita. Vire à direita.", 3.0, "Vire à direita."),
        ("Vire à direita. Vire à direita na avenida.", 4.0, "Vire à direita na avenida."),
        ("na praça da Sé, na praça da Sé, na praça da Sé, número três", 5.0, "na praça da Sé, número três"),
        ("pode deixar, pode deixar que eu levo", 3.0, "pode deixar, pode deixar que eu levo"),
        ("não não não não quero", 2.0, "não não não não quero"),
        ("dois dois dois dois dois dois dois sete um", 3.0, "dois dois dois dois dois dois dois sete um"),
        ("cinco seis sete cinco seis sete", 3.0, "cinco seis sete cinco seis sete"),
        ("11 22 33 11 22 33 de novo", 3.0, "11 22 33 11 22 33 de novo"),
        ("one two three one two three four", 3.0, "one two three one two three four"),
        ("uno dos tres uno dos tres cuatro", 3.0, "uno dos tres uno dos tres cuatro"),
        ("A B C A B C D", 3.0, "A B C A B C D"),
        ("a, bê, cê, a, bê, cê, dê", 3.0, "a, bê, cê, a, bê, cê, dê"),
        ("alfa bravo charlie alfa bravo charlie delta", 4.0, "alfa bravo charlie alfa bravo charlie delta"),
        ("é o a casa, é o a casa amarela", 3.0, "é o a casa amarela"),
        ("", 1.0, ""),
    ],
)
def test_a_phrase_said_again_is_said_once_and_goes_on(text: str, audio_s: float, expected: str) -> None:
    """Case and punctuation do not hide it; fewer than three words, numbers and letters are repeated by people."""
    assert collapse(text, audio_s) == expected


@pytest.mark.parametrize(
    ("text", "audio_s", "expected"),
    [
        ("e" * 700, 1.0, "eee"),
        ("Lalala" + "lalalala" * 9 + "rico chegou", 2.0, "LaLaLarico chegou"),
        ("oi, " * 80 + "tudo bem", 2.0, "oi, tudo bem"),
        ("4 " * 90, 1.0, "4 4 4 4 4 4 4 4 4 4 4 4 4"),
        ("0" * 44, 5.0, "0" * 44),
    ],
)
def test_a_loop_is_cut_to_what_fits(text: str, audio_s: float, expected: str) -> None:
    """Inside a word, of words, of digits, which only go when nobody can have said so many."""
    assert collapse(text, audio_s) == expected


@pytest.mark.parametrize(
    ("text", "audio_s", "loops"),
    [
        ("uma frase que se diz em três segundos", 3.0, False),
        ("uma frase que não se diz em meio segundo", 0.5, True),
        ("h" * 31, 5.0, True),
        ("anticonstitucionalissimamente", 2.0, False),
        ("lá " * 20, 8.0, True),
        ("nove " * 11, 6.0, False),
        ("sim", 0.2, False),
    ],
)
def test_a_loop_is_seen(text: str, audio_s: float, loops: bool) -> None:
    """By its length, by a word, by how well it compresses; digits compress well, too."""
    assert is_loop(text.strip(), audio_s) is loops


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        ("fale com o gerente, fale com o gerente", True),
        ("fale com o gerente, fale com o gerente hoje", False),
        ("tá bom, tá bom", False),
        ("um dois três um dois três", False),
    ],
)
def test_a_copy_at_the_end_is_what_short_windows_make(text: str, copy: bool) -> None:
    assert copy_at_end(text) is copy


@pytest.mark.parametrize(
    ("text", "monotonous"),
    [
        ("O O O O O", True),
        ("eu disse: não, não, não, não, não quero", True),
        ("não, não, não, não", False),
        ("nove nove nove nove nove nove", False),
        ("um a um a um a um a", False),
        ("", False),
    ],
)
def test_one_word_over_and_over_is_seen(text: str, monotonous: bool) -> None:
    """Five times in a row; numbers are said so."""
    assert is_monotonous(text) is monotonous


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("5 5", True),
        ("Oi! Oi!", True),
        ("Hoje... Hoje... Hoje...", True),
        ("Aqui, aqui. Aqui, aqui.", True),
        ("nove oito nove oito", True),
        ("Não, não quero.", False),
        ("nove nove oito nove", False),
        ("sim", False),
        ("", False),
    ],
)
def test_nothing_but_copies_is_seen(text: str, repeated: bool) -> None:
    """However many there are, and of whatever."""
    assert is_repeated(text) is repeated


def test_known_words_stay() -> None:
    """A partial's text begins with the words that it was held to, whatever they are."""
    assert collapse("vamos lá ver vamos lá ver então", 4.0, known=4) == "vamos lá ver vamos lá ver então"


words = st.lists(st.sampled_from(["não", "eu", "quero", "sete", "9", "ba", "Sim,", "u" * 40]), max_size=60)


@given(text=words.map(" ".join), audio_s=st.floats(0.1, 30.0), known=st.integers(0, 5))
def test_the_result_fits_says_nothing_new_and_is_stable(text: str, audio_s: float, known: int) -> None:
    once = collapse(text, audio_s, known)
    kept = " ".join(text.split()[:known])

    assert len(once) <= max(most_chars(audio_s), len(kept))
    assert once.startswith(kept)
    assert {word.lower() for word in once.split()} <= {word.lower() for word in [*text.split(), "uuu"]}
    assert collapse(once, audio_s, known) == once


def test_a_hummed_word_is_cut_short_and_spelt_ones_are_not() -> None:
    """Syllables that change are no exact copies."""
    hummed, spelt, digits = (
        "Da-da-da-la-da-ra-la-ra-ra-da-na-ra-na",
        "-".join("mariaaparecidasantos"),
        "12-" * 12 + "12",
    )

    assert collapse(hummed, 3.0) == "Da-da-da"
    assert is_loop(hummed, 3.0)
    assert collapse(spelt, 9.0) == spelt
    assert collapse(digits, 9.0) == digits


def test_words_that_differ_in_marks_alone_are_different() -> None:
    """Vowels of Hindi and Thai are marks."""
    words = "की का के कि".split()

    assert plain(words) == words
    assert not is_repeated(" ".join(words))
