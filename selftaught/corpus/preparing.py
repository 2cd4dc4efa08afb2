"""From data to a corpus in a few passes over units of work, each of them done once and found again after a kill.

    CORPUS/shard-00000.parquet …   text, file, line, language
    CORPUS/shard-00000.tokens.npy  and more, if tokens are asked for: see selftaught/data/ready_tokens.py
    CORPUS/rejected.jsonl          every document and row that is not in it: file, line, rule, why
    CORPUS/MANIFEST.json           what was asked, all counts, and the SHA-256 of every shard
    CORPUS/.work-…/                what the passes leave for each other, until the corpus is done

Which worker does what, and when, changes nothing: a unit's files depend on the unit alone, and everything is put
together in the order of the units.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.corpus.cleaning import HELD_OUT, UNREADABLE, Cleaning, facts_sum, rejected
from selftaught.corpus.copies import Copies, ranges, unit_names
from selftaught.corpus.engine import Engine
from selftaught.corpus.held_out import HeldOut
from selftaught.corpus.job import Facts, Job
from selftaught.corpus.language import LANGUAGES
from selftaught.corpus.minhash import BANDS
from selftaught.corpus.place import Place
from selftaught.corpus.quality import RULES
from selftaught.corpus.selecting import Selecting
from selftaught.corpus.units import Unit, units_of
from selftaught.data.files import suggestion
from selftaught.data.prepared import FORMAT, MANIFEST
from selftaught.data.ready_tokens import TOKENIZER
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.live import counted

if TYPE_CHECKING:
    from selftaught.data.tokenise import TextTokenizer

REJECTED = "rejected.jsonl"
STEPS = ("language", "same", "alike")
_WORK = ".work-"


@dataclass(frozen=True)
class Asked:
    """What a user wants of a corpus.

    Args:
        data: a folder, a file, ``builtin:NAME``, ``hf:NAME`` or a URL.
        text: the column to read.
        languages: those to keep; empty for all.
        without: rules and steps that are left out.
        personal: whether personal numbers and addresses are removed.
        held_out: an evaluation set that must not be in it.
        tokenizer: a run, a model folder or a corpus, by whose tokenizer each shard gets its tokens.
    """

    data: str
    text: str | None = None
    languages: tuple[str, ...] = LANGUAGES
    without: tuple[str, ...] = ()
    personal: bool = False
    held_out: str | None = None
    tokenizer: str | None = None
    rules: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = (*RULES, *STEPS)
        for name in self.without:
            if name not in names:
                near = suggestion(name, names)
                raise SelftaughtError(f"there is no rule {name!r}", do=near or "the rules are " + ", ".join(names))
        for name in self.languages:
            if name not in LANGUAGES:
                raise SelftaughtError(f"the language {name!r} cannot be told", do="take en, zh, or any")
        object.__setattr__(self, "rules", tuple(name for name in RULES if name not in self.without))


def prepare_corpus(asked: Asked, out: str, engine: Engine) -> tuple[Facts, bool]:
    """Make the corpus, or go on with it.

    Returns:
        its manifest, and whether there was anything to do.

    Raises:
        SelftaughtError: the data cannot be read, nothing of it is kept, or there is something else at ``out``.
    """
    place, refused = Place(out), Tally()
    units = units_of(asked.data, refused=refused)
    held_out, tokenizer = _held_out(asked), _tokenizer(asked)
    digest = _fingerprint(asked, units, held_out, tokenizer)
    manifest = _begun(place, digest)
    if manifest is not None and manifest["finished"] and _is_whole(place, manifest):
        _clear(place)
        return manifest, False
    job = Job(
        out=out,
        work=f"{_WORK}{digest[:16]}",
        text=asked.text,
        languages=() if "language" in asked.without else asked.languages,
        rules=asked.rules,
        exact="same" not in asked.without,
        near="alike" not in asked.without,
        personal=asked.personal,
        held_out=held_out is not None,
    )
    started = {"format": FORMAT, "finished": False, "fingerprint": digest}
    place.write(MANIFEST, _json(started))
    _clear(place, but=job.work)
    if manifest is None:  # another preparation may have been given up here
        for name in place.names():
            if name.startswith("shard-") or name == TOKENIZER:
                place.remove(name)
    if held_out is not None:
        place.write(f"{job.work}/{HELD_OUT}", held_out)
    cleaned = list(counted(engine.map(Cleaning(job), units), len(units), "cleaning, units"))
    names = unit_names(units)
    if not any(one["documents"] for one in cleaned):
        raise SelftaughtError(f"there is no text in {asked.data}{_first_reason(job, names, refused)}", where=asked.data)
    offsets = tuple(accumulate((one["kept"] for one in cleaned), initial=0))
    wanted = ranges(job, 1 + BANDS if job.near else 1, offsets[-1])
    list(counted(engine.map(Copies(job, names, offsets[:-1]), wanted), len(wanted), "looking for copies, bands"))
    selecting = engine.map(Selecting(job, names, offsets, tuple(wanted)), range(len(units)))
    selected = list(counted(selecting, len(units), "writing, shards"))
    manifest = {**started, "finished": True, **_facts(asked, cleaned, selected, refused)}
    if tokenizer is not None:
        manifest |= _with_tokens(job, tokenizer, manifest["shards"], engine)
    manifest["rejected"] = {"name": REJECTED, "sha256": _put_rejected(job, names, refused)}
    if not manifest["kept"]:
        raise SelftaughtError(
            f"nothing is left of {asked.data}: {_losses(manifest)}",
            where=f"{out}/{REJECTED}",
            do="see there why, and leave rules out with --without",
        )
    place.write(MANIFEST, _json(manifest))
    _clear(place)
    return manifest, True


def refuse_own_data(data: str, out: str) -> None:
    """To be called before anything is written.

    Raises:
        SelftaughtError: the corpus would become a part of what it is made of.
    """
    folder = Place(out).local
    if folder is not None and folder.resolve().is_relative_to(Path(data.removeprefix("file://")).resolve()):
        raise SelftaughtError("the corpus would lie within its own data", where=out, do="choose another --out")


def _facts(asked: Asked, cleaned: Sequence[Facts], selected: Sequence[Facts], refused: Tally) -> Facts:
    shards = [one["shard"] for one in selected if one["shard"]["documents"]]
    dropped = facts_sum(list(cleaned), "dropped") | facts_sum(list(selected), "dropped")
    known = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(asked).items()}
    return {
        "asked": known,
        "documents": sum(one["documents"] for one in cleaned),
        "kept": sum(one["documents"] for one in shards),
        "dropped": dropped,
        "rows": sum(one["rows"] for one in cleaned) + refused.rows,
        "unreadable": sum(one["unreadable"] for one in cleaned) + refused.quarantined,
        "personal": facts_sum(list(cleaned), "personal"),
        "characters": sum(one["characters"] for one in shards),
        "shards": shards,
    }


def _losses(manifest: Facts) -> str:
    parts = [f"{name} {count}" for name, count in manifest["dropped"].items()]
    return ", ".join([*parts, *([f"unreadable rows {manifest['unreadable']}"] if manifest["unreadable"] else [])])


def _held_out(asked: Asked) -> bytes | None:
    if asked.held_out is None:
        return None
    return HeldOut.of(row.text for row in open_text(asked.held_out).rows(Tally())).to_bytes()


def _tokenizer(asked: Asked) -> "TextTokenizer | None":
    if asked.tokenizer is None:
        return None
    from selftaught.data.tokenise import load_tokenizer  # both have torch with them
    from selftaught.pretrained import tokenizer_folder

    return load_tokenizer(tokenizer_folder(asked.tokenizer))


def _with_tokens(job: Job, tokenizer: "TextTokenizer", shards: Sequence[Facts], engine: Engine) -> Facts:
    """Have the tokens of all shards made; what the manifest says of them."""
    from selftaught.corpus.tokenising import Tokenising, put_tokenizer

    files = put_tokenizer(tokenizer, job.place)
    names = [shard["name"] for shard in shards]
    made = list(counted(engine.map(Tokenising(job), names), len(names), "making tokens, shards"))
    return {
        "shards": [{**shard, "tokens": one["sha256"]} for shard, one in zip(shards, made, strict=True)],
        "tokens": {
            "tokenizer": tokenizer.fingerprint,
            "count": sum(one["count"] for one in made),
            "sha256": files,
        },
    }


def _fingerprint(asked: Asked, units: Sequence[Unit], held_out: bytes | None, tokenizer: "TextTokenizer | None") -> str:
    """Changes with whatever the corpus depends on."""
    by = tokenizer.fingerprint if tokenizer is not None else None
    parts: list[Any] = [FORMAT, asdict(asked), by, [asdict(unit) for unit in units]]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    digest.update(held_out or b"")
    return digest.hexdigest()


def _begun(place: Place, digest: str) -> Facts | None:
    """The manifest that is there already, if it is of this very corpus.

    Raises:
        SelftaughtError: the folder holds something else.
    """
    content = place.read(MANIFEST)
    if content is None:
        if any(not name.startswith(".") for name in place.names()):
            raise SelftaughtError("this folder is not empty", where=place.url, do="choose another --out")
        return None
    try:
        manifest: Facts = json.loads(content)
        known = manifest["fingerprint"]
    except (ValueError, KeyError, TypeError):
        raise SelftaughtError(
            f"{MANIFEST} is not one of a corpus", where=place.url, do="choose another --out"
        ) from None
    if known != digest and manifest["finished"]:
        raise SelftaughtError(
            "there is another corpus, or the data has changed since", where=place.url, do="choose another --out"
        )
    return manifest if known == digest else None


def _is_whole(place: Place, manifest: Facts) -> bool:
    files = {file["name"]: file["sha256"] for file in [*manifest["shards"], manifest["rejected"]]}
    for tokens in (
        manifest.get("tokens", {}).get("sha256", {}),
        *(one.get("tokens", {}) for one in manifest["shards"]),
    ):
        files |= tokens
    return all(place.holds(name, sha256) for name, sha256 in files.items())


def _clear(place: Place, but: str = "") -> None:
    """Remove what earlier passes left, and half-written files."""
    for name in place.names():
        if (name.startswith(_WORK) or name.endswith(".partial")) and name != but:
            place.remove(name)


def _put_rejected(job: Job, names: Sequence[str], refused: Tally) -> str:
    """What was not kept, of all units in their order; the SHA-256."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, REJECTED)
        with file.open("wb") as out:
            for one in refused.records:
                out.write(rejected(one.file, one.line, UNREADABLE, one.why).encode())
            for name in names:
                for step in ("clean", "selected"):
                    out.write(job.place.read(f"{job.work}/{step}/{name}.rejected.jsonl") or b"")
        return job.place.put(file, REJECTED)


def _first_reason(job: Job, names: Sequence[str], refused: Tally) -> str:
    lines = [rejected(one.file, one.line, UNREADABLE, one.why).encode() for one in refused.records[:1]]
    for name in names:
        lines += (job.place.read(f"{job.work}/clean/{name}.rejected.jsonl") or b"").splitlines()[:1]
    return f": {json.loads(lines[0])['why']}" if lines else ""


def _json(value: Facts) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode()
