"""``selftaught prepare``: a large corpus cleaned, freed of copies, and put into shards."""

from typing import Any

from selftaught.console import tell
from selftaught.corpus.engine import engine as open_engine
from selftaught.corpus.place import Place
from selftaught.corpus.preparing import REJECTED, Asked, prepare_corpus, refuse_own_data
from selftaught.facts import shown

_MOST = 40


def prepare(
    data: str,
    *,
    out: str,
    text: str | None = None,
    languages: str = "en,zh",
    without: str = "",
    personal: bool = False,
    held_out: str | None = None,
    tokenizer: str | None = None,
    workers: int | None = None,
    engine: str = "pool",
    json: bool = False,
) -> dict[str, Any]:
    """Clean a large corpus, drop copies, and write shards that pretrain reads. The same command goes on after a kill.

    Args:
        data: A folder, a file, builtin:NAME, hf:NAME, or a URL such as s3://bucket/folder.
        out: The folder of the corpus, or a URL.
        text: The column that holds the text.
        languages: Those to keep: en, zh, both with a comma between, or any.
        without: Rules to leave out, with commas between; docs/prepare.md names them.
        personal: Replace e-mail addresses, ID, card and phone numbers by marks.
        held_out: An evaluation set; documents that share thirteen words in sequence with it are dropped.
        tokenizer: A run or model folder, whose tokenizer makes the tokens of each shard; pretrain then need not.
        workers: Processes; all cores if not given.
        engine: pool, or ray for a Ray cluster.
        json: Print one JSON object.
    """
    asked = Asked(
        data,
        text=text,
        languages=() if languages == "any" else _names(languages),
        without=_names(without),
        personal=personal,
        held_out=held_out,
        tokenizer=tokenizer,
    )
    refuse_own_data(data, out)
    with Place(out).locked(), open_engine(engine, workers) as hands:
        manifest, made = prepare_corpus(asked, out, hands)
    report = {"verb": "prepare", "out": out, "made": made, **manifest}
    dropped = manifest["documents"] - manifest["kept"]
    lines = [
        f"data        {data}",
        f"documents   {manifest['documents']:,} in = {manifest['kept']:,} kept + {dropped:,} dropped"
        + _counts(manifest["dropped"]),
        f"rows        {manifest['rows']:,} read, {manifest['unreadable']:,} unreadable",
        *([f"personal    {sum(manifest['personal'].values()):,} removed{_counts(manifest['personal'])}"] * personal),
        *([f"tokens      {manifest['tokens']['count']:,} by the tokenizer of {tokenizer}"] if tokenizer else []),
        f"corpus      {out}: {len(manifest['shards']):,} shards, {manifest['characters']:,} characters"
        + ("" if made else "; it was there already"),
        f"rejected    each is named in {out.rstrip('/')}/{REJECTED}",
    ]
    return tell(report, lines, json=json)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(sorted({part.strip() for part in listed.split(",") if part.strip()}))


def _counts(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda one: -one[1])
    return f" ({shown([f'{name} {count:,}' for name, count in most], _MOST)})" if counts else ""
