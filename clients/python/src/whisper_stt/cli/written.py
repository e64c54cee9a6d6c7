"""Finals as Brazilians write them (docs/text.md), for lines and subtitles. No I/O."""

from itertools import groupby

from msgspec.structs import replace

from whisper_stt.session.messages import Entity, FinalTranscript, Word

Place = tuple[int, int, Word]
"""Where in the text a word stands, in characters."""


def as_written(final: FinalTranscript) -> FinalTranscript:
    """The final with `text_formatted` as its text, and each entity's words as one; as it is, where it has none."""
    if final.text_formatted is None:
        return final

    def entity_of(place: Place) -> Entity | None:
        return next((e for e in final.entities if place[0] < e.spoken_end and place[1] > e.spoken_start), None)

    words: list[Word] = []
    for entity, group in groupby(_places(final), entity_of):
        places = list(group)
        words += [_merged(final.text, places, entity)] if entity else [word for _, _, word in places]
    return replace(final, text=final.text_formatted, words=words)


def _places(final: FinalTranscript) -> list[Place]:
    places, at = [], 0
    for word in final.words:
        start = final.text.find(word.word, at)
        if start >= 0:
            at = start + len(word.word)
            places.append((start, at, word))
    return places


def _merged(text: str, places: list[Place], entity: Entity) -> Word:
    """As sure as the least sure of them; with what stands before and after the entity in the same words."""
    (start, _, first), (_, end, last) = places[0], places[-1]
    before, after = text[start : entity.spoken_start], text[entity.spoken_end : end]
    least = min(word.probability for _, _, word in places)
    return replace(first, word=before + entity.text + after, end=last.end, probability=least)
