import numpy as np
import pytest

from crosscheck.text import CharacterTokenizer, sample_batch, split

TEXT = "to be, or not to be: 'ça' \N{GRINNING FACE}\n"


def test_ids_follow_the_sorted_characters() -> None:
    tokenizer = CharacterTokenizer("banana split")
    assert tokenizer.vocab_size == 9
    assert tokenizer.characters == " abilnpst"
    encoded = tokenizer.encode("a tin")
    assert encoded.dtype == np.int64
    assert encoded.tolist() == [1, 0, 8, 3, 5]


@pytest.mark.parametrize("text", [TEXT, "a", "", TEXT[::-1] * 7, "\n\n", "\N{GRINNING FACE}"])
def test_decode_inverts_encode(text: str) -> None:
    tokenizer = CharacterTokenizer(TEXT + "a")
    encoded = tokenizer.encode(text)
    # The definition, slowly.
    table = {character: i for i, character in enumerate(sorted(set(TEXT + "a")))}
    assert encoded.tolist() == [table[character] for character in text]
    assert tokenizer.decode(encoded) == text
    assert tokenizer.decode(encoded.tolist()) == text
    assert tokenizer.decode(encoded.astype(np.uint8)) == text


def test_half_a_surrogate_pair_is_a_character_too() -> None:
    tokenizer = CharacterTokenizer("\ud83d\U0001f600")
    assert tokenizer.encode("\U0001f600\ud83d").tolist() == [1, 0]
    assert tokenizer.decode([0, 1]) == "\ud83d\U0001f600"


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("aXbY", r"character 'X' at position 1 is not among the 3 characters"),
        ("ab~", r"character '~' at position 2"),  # after the last
        ("\nab", r"character '\\n' at position 0"),  # before the first
        ("ba\N{GRINNING FACE}", r"position 2"),
    ],
)
def test_an_unknown_character_is_named(text: str, saying: str) -> None:
    with pytest.raises(ValueError, match=saying):
        CharacterTokenizer("abc").encode(text)


@pytest.mark.parametrize(
    ("ids", "saying"),
    [
        ([0, 3, 9], r"id 3 at position 1 is out of range, expected 0 to 2"),
        ([0, 1, -1], r"id -1 at position 2 is out of range"),
        ([[0, 1]], r"shape \(1, 2\), expected one axis"),
        (2, r"shape \(\), expected one axis"),
    ],
)
def test_an_unknown_id_is_named(ids: list[int], saying: str) -> None:
    with pytest.raises(ValueError, match=saying):
        CharacterTokenizer("abc").decode(ids)


@pytest.mark.parametrize("ids", [[0.0, 1.0], [True, False]])
def test_ids_are_integers(ids: list[float]) -> None:
    with pytest.raises(TypeError, match="expected integers"):
        CharacterTokenizer("abc").decode(ids)


def test_no_text_no_vocabulary() -> None:
    with pytest.raises(ValueError, match="the text is empty"):
        CharacterTokenizer("")


def test_the_split_is_nanogpts() -> None:
    for count in (1_115_394, 9752, 10, 19, 1):
        train, validation = split(np.arange(count))
        assert len(train) == int(count * 0.9)
        assert np.concatenate([train, validation]).tolist() == list(range(count))
    assert [len(part) for part in split(np.arange(20), validation_fraction=0.25)] == [15, 5]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 10.0, float("nan")])
def test_a_fraction_leaves_something_on_both_sides(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"validation_fraction is {fraction}"):
        split(np.arange(10), fraction)


def test_targets_are_the_inputs_one_token_on() -> None:
    # A permutation, so that each token tells its position.
    tokens = np.random.default_rng(1).permutation(50)
    position = np.argsort(tokens)
    inputs, targets = sample_batch(tokens, 7, 5, np.random.default_rng(2))
    assert inputs.shape == targets.shape == (7, 5)
    assert inputs.dtype == targets.dtype == np.int64
    assert (np.diff(position[inputs], axis=1) == 1).all()
    assert (position[targets] == position[inputs] + 1).all()


def test_every_window_is_drawn_and_about_equally_often() -> None:
    inputs, targets = sample_batch(np.arange(9), 6_000, 4, np.random.default_rng(3))
    starts, counts = np.unique(inputs[:, 0], return_counts=True)
    assert starts.tolist() == [0, 1, 2, 3, 4]
    assert targets.max() == 8
    assert np.abs(counts - 1200).max() < 155  # five standard deviations


def test_the_generator_decides() -> None:
    tokens = np.arange(1000)
    first = sample_batch(tokens, 6, 3, np.random.default_rng(4))
    assert np.array_equal(first, sample_batch(tokens, 6, 3, np.random.default_rng(4)))
    assert not np.array_equal(first, sample_batch(tokens, 6, 3, np.random.default_rng(5)))


def test_a_batch_shares_no_memory() -> None:
    tokens = np.arange(5)
    inputs, targets = sample_batch(tokens, 2, 4, np.random.default_rng(6))
    assert inputs.tolist() == [[0, 1, 2, 3]] * 2
    inputs[:] = -1
    assert targets.tolist() == [[1, 2, 3, 4]] * 2
    assert tokens.tolist() == [0, 1, 2, 3, 4]


def test_a_short_corpus_is_an_error_that_says_what_to_do() -> None:
    saying = r"has 4 tokens, but context 4 needs at least 5 .*longer text, a shorter context"
    with pytest.raises(ValueError, match=saying):
        sample_batch(np.arange(4), 2, 4, np.random.default_rng(7))


@pytest.mark.parametrize(("batch_size", "context"), [(0, 4), (2, 0), (-1, 4)])
def test_sizes_are_positive(batch_size: int, context: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}, context is {context}"):
        sample_batch(np.arange(9), batch_size, context, np.random.default_rng(8))


def test_tokens_are_one_axis_of_integers() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 4\), expected one axis"):
        sample_batch(np.zeros((3, 4), np.int64), 2, 1, np.random.default_rng(9))
    with pytest.raises(TypeError, match="type float64, expected integers"):
        sample_batch(np.zeros(9), 2, 1, np.random.default_rng(9))  # type: ignore[arg-type]
