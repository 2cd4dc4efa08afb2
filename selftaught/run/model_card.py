"""The model card of a run: what it is and how good, without a word of the text it was trained on."""

from collections.abc import Mapping
from typing import Any

from selftaught.run.durable import replace_file
from selftaught.run.folder import Run

_USES = {
    "masked-lm": "AutoModelForMaskedLM",
    "causal-lm": "AutoModelForCausalLM",
    "feature-extraction": "AutoModel",
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "text-generation": "AutoModelForCausalLM",
}
WORDS = "word-vectors"  # what gensim loads
PICTURES, PICTURE_CLASSES, CLIP_CLASSES = "image-feature-extraction", "image-classification", "video-classification"
PICTURE_QUESTIONS, PICTURE_TEXTS = "visual-question-answering", "image-to-text"
PAIRS, PAIRS_APART = "zero-shot-image-classification", "two towers"  # in one folder, or in one each
SENTENCES = "sentence-similarity"  # what sentence-transformers loads
_SEEING = {PICTURE_QUESTIONS: '"a.jpg", "what is in the picture?"', PICTURE_TEXTS: '"a.jpg"'}
_LIBRARIES = {SENTENCES: "sentence-transformers", WORDS: "gensim"}
_PIPELINES = {
    "masked-lm": "fill-mask",
    "causal-lm": "text-generation",
    WORDS: "feature-extraction",
    PAIRS_APART: PAIRS,
}
# the others are called as what they do


def write_card(run: Run, kind: str, facts: Mapping[str, Any], measures: Mapping[str, Any], caveats: list[str]) -> None:
    """Write ``README.md`` into the run, in the form that the Hugging Face hub reads.

    Args:
        kind: a key of :data:`_USES`, which of a task is the name of its pipeline, or
            :data:`SENTENCES`, :data:`WORDS`, :data:`PICTURES`, :data:`PICTURE_CLASSES`, :data:`CLIP_CLASSES`,
            :data:`PICTURE_TEXTS`, :data:`PAIRS` or :data:`PAIRS_APART`.
        facts: what was trained, on how much of what.
        measures: on held-out data.
        caveats: what a user of the model must know.
    """
    lines = [
        "---",
        f"library_name: {_LIBRARIES.get(kind, 'transformers')}",
        f"pipeline_tag: {_PIPELINES.get(kind, kind)}",
        "tags: [selftaught]",
        "---",
        "",
        f"# {run.folder.name}",
        "",
        "Trained with selftaught; `recipe.yaml` beside this file repeats it.",
        "",
        *_rows("What it is", facts),
        *_rows("Measured on held-out data", measures),
        "## Use",
        "",
        "```python",
        *_use(kind),
        "```",
        "",
        "## Limits",
        "",
        *(f"- {caveat}" for caveat in caveats),
        "",
    ]
    replace_file(run.folder / "README.md", "\n".join(lines))


def _use(kind: str) -> list[str]:
    """How the model is loaded, in Python."""
    if kind == SENTENCES:
        return [
            "from sentence_transformers import SentenceTransformer",
            "",
            'model = SentenceTransformer("model")  # the folder beside this file',
            'vectors = model.encode(["a text", "another one"])',
        ]
    if kind == WORDS:
        return [
            "from gensim.models import KeyedVectors",
            "",
            'vectors = KeyedVectors.load_word2vec_format("model/vectors.bin", binary=True)  # beside this file',
        ]
    if kind in (PICTURE_CLASSES, CLIP_CLASSES):
        file = "a.jpg" if kind == PICTURE_CLASSES else "a.mp4"
        return [
            "import selftaught",
            "",
            f'answers = selftaught.predict(".", "{file}")["predictions"]  # of this folder',
        ]
    if kind in _SEEING:
        return [
            "import selftaught",
            "",
            f'predictions = selftaught.predict(".", {_SEEING[kind]})["predictions"]  # of this folder',
        ]
    if kind == PAIRS:
        return [
            "from PIL import Image",
            "from transformers import AutoModel, AutoProcessor",
            "",
            'processor, model = (kind.from_pretrained("model") for kind in (AutoProcessor, AutoModel))',
            'texts, pictures = ["a text", "another one"], [Image.open("a.jpg")]',
            'given = processor(text=texts, images=pictures, return_tensors="pt", padding=True)',
            "shares = model(**given).logits_per_image.softmax(-1)",
        ]
    if kind == PAIRS_APART:
        return [
            "import selftaught",
            "",
            'answers = selftaught.predict(".", "a.jpg", labels="a text,another one")["predictions"]  # of this folder',
            '# the towers alone: AutoModel.from_pretrained("model/vision") and ("model/text")',
        ]
    if kind == PICTURES:
        return [
            "from PIL import Image",
            "from transformers import AutoImageProcessor, AutoModel",
            "",
            'processor, model = (kind.from_pretrained("model") for kind in (AutoImageProcessor, AutoModel))',
            'states = model(**processor(Image.open("a.jpg"), return_tensors="pt")).last_hidden_state',
        ]
    return [
        f"from transformers import AutoTokenizer, {_USES[kind]}",
        "",
        f'model = {_USES[kind]}.from_pretrained("model")  # the folder beside this file',
        'tokenizer = AutoTokenizer.from_pretrained("model")',
    ]


def _rows(title: str, values: Mapping[str, Any]) -> list[str]:
    shown = [f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in values.items() if value is not None]
    return [f"## {title}", "", "| | |", "|---|---|", *shown, ""] if shown else []


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
