"""What a run on text is given by its recipe to begin with: a network or word vectors, a teacher, a tokenizer."""

from selftaught.console import note
from selftaught.data.prepared import brings_tokens
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import Objective
from selftaught.pretrained import Pretrained, open_pretrained, tokenizer_folder, weights_sha256
from selftaught.recipe import Recipe
from selftaught.word2vec.embedding import TokenVectors
from selftaught.word2vec.model import WordModel, holds_words


def checkpoint_of(recipe: Recipe) -> str | None:
    """The run or folder of a transformer that this one begins as; word vectors are only where its tokens begin."""
    place = recipe.model.init
    return None if place is None or holds_words(place) else place


def token_vectors(recipe: Recipe, tokenizer: TextTokenizer) -> TokenVectors | None:
    """What the tokens begin with, if word vectors are given."""
    place = recipe.model.init
    if place is None or not holds_words(place):
        return None
    found = TokenVectors.of(WordModel.load(place), tokenizer.encode, tokenizer.vocab_size)
    note(f"words       {found.known.sum():,} of {len(found.known):,} tokens begin with the vectors of {place}")
    return found


def refuse_other_architecture(objective: Objective, init: Pretrained | None) -> None:
    """An encoder cannot learn to continue a text, nor a decoder to look at both sides of one."""
    if init is None or objective.architecture in ("any", "decoder" if init.backbone.is_decoder else "encoder"):
        return
    have = "reads from left to right" if init.backbone.is_decoder else "reads from both sides"
    raise SelftaughtError(
        f"{objective.name} needs another kind of network: this one {have}",
        where=str(init.folder),
        do="begin from a run of causal_lm" if objective.architecture == "decoder" else "begin from a run of mlm",
    )


def teacher_of(recipe: Recipe, objective: Objective) -> Pretrained | None:
    """The model to learn from, for an objective that does.

    Raises:
        SelftaughtError: if there is none, or another one than this run began with.
    """
    place = recipe.model.teacher
    if objective.taught and place is None:
        raise SelftaughtError(f"{objective.name} needs a teacher", do="selftaught distill RUN DATA gives it one")
    if place is not None and not objective.taught:
        raise SelftaughtError(f"{objective.name} does not learn from a teacher", do="--objective distill does")
    if place is None:
        return None
    found = open_pretrained(place)
    if recipe.model.teacher_sha256 not in (None, weights_sha256(found.folder)):
        raise SelftaughtError(
            "this is not the teacher that the run began with: its weights have changed since",
            where=place,
            do="restore it, or choose another --out (of a --recipe, leave model.teacher_sha256 out)",
        )
    return found


def with_own_tokenizer(recipe: Recipe) -> Recipe:
    """With the tokenizer of a corpus that has tokens by it, where no other is asked for."""
    model, corpus = recipe.model, recipe.data.path
    if model.init or model.teacher or model.tokenizer or model.vocabulary or not corpus or not brings_tokens(corpus):
        return recipe
    return recipe.with_model(tokenizer=corpus)


def given_tokenizer(recipe: Recipe) -> TextTokenizer | None:
    """That of the model to begin with, of the teacher, or the one asked for; all that are given must be one."""
    places = [place for place in (checkpoint_of(recipe), recipe.model.teacher, recipe.model.tokenizer) if place]
    found = [load_tokenizer(tokenizer_folder(place)) for place in places]
    if len({tokenizer.fingerprint for tokenizer in found}) > 1:
        raise SelftaughtError(
            "these have different tokenizers",
            where=", ".join(places),
            do="a student reads with its teacher's tokenizer",
        )
    return found[0] if found else None
