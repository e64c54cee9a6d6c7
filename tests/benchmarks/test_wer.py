"""The service against the model offline."""

from benchmarks.clips import recording
from benchmarks.record import Record
from benchmarks.reporting import wer_markdown
from benchmarks.schedule import alone
from benchmarks.wer import compare
from tests.benchmarks.material import clip, final, record_of, sound


def heard(text: str, *finals: str, completed: bool = True) -> Record:
    """A session of one clip."""
    script = alone(recording(clip(name=f"real/{text}.flac", text=text), sound(1.0)))
    messages = [(1.0 + i, final(f"s{i}", 300.0, 500.0, text=heard)) for i, heard in enumerate(finals)]
    return record_of(script, messages, completed=completed)


def test_finals_are_joined_and_both_sides_scored() -> None:
    """The difference is what streaming costs."""
    accuracy = compare([heard("um dois três quatro", "Um dois,", "tres quatro.")], ["um dois três quatro"])

    assert accuracy.clips[0].service == "Um dois, tres quatro."
    assert accuracy.service.wer == 0.25
    assert accuracy.offline.wer == 0.0
    assert accuracy.difference == 0.25


def test_the_worst_clips_are_those_lost_against_offline() -> None:
    """Before those that both get wrong."""
    records = [heard("bom dia", "bom dia"), heard("boa tarde", "noite"), heard("boa noite", "boa")]

    accuracy = compare(records, ["bom dia", "noite", "boa noite"])

    assert [clip.said for clip in accuracy.worst(2)] == ["boa noite", "boa tarde"]


def test_trouble_is_told() -> None:
    """A session that broke is not taken for a bad transcript."""
    accuracy = compare([heard("bom dia", completed=False)], ["bom dia"])

    assert accuracy.clips[0].trouble == ["did not complete"]
    assert accuracy.service.deletions == 2


def test_what_the_service_did_not_believe_is_counted() -> None:
    """It is a deletion, and of another cause."""
    record = record_of(
        alone(recording(clip(name="real/a.flac", text="bom dia"), sound(1.0))),
        [
            (1.0, final("s1", 0.0, 500.0, "")),
            (2.0, final("s2", 600.0, 300.0, "") | {"dropped": {"reason": "no_evidence"}}),
        ],
    )
    accuracy = compare([record], ["bom dia"])

    assert accuracy.clips[0].dropped == 1
    assert wer_markdown({"clean": accuracy}).splitlines()[4].split("|")[-2].strip() == "1"
