"""The same preparation by datatrove: Gopher's and FineWeb's rules, then MinHash with its four stages."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("LOGURU_AUTOINIT", "False")  # it is said nowhere else that its workers should be quiet

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.logging import logger
from datatrove.utils.typeshelper import Languages

from selftaught.corpus.quality import LINE_ENDS

WITHOUT = "language,same,letters,lorem ipsum,braces"
"""What is left out on our side: rules that are not among theirs, or stand there for something else."""


def prepare(data: Path, out: Path, *, workers: int, tasks: int) -> None:
    """From a folder of ``.jsonl`` files to ``out/deduplicated``; a stage that is done is not done again.

    Args:
        tasks: into how many the files are parted; as many as there are files serve best.
    """
    logger.remove()
    hashing = HashConfig(hash_fc="sha1")  # version 4 of xxhash refuses text, which datatrove 0.10.1 gives it
    config = MinhashConfig(hash_config=hashing)  # 14 buckets of 8 hashes over shingles of 5 words: as ours
    rules = [
        GopherRepetitionFilter(),
        GopherQualityFilter(max_doc_words=None, max_non_alpha_words_ratio=None),
        FineWebQualityFilter(char_duplicates_ratio=1, stop_chars=LINE_ENDS),  # its own list has no closing quotes
    ]
    clean, signatures, buckets, remove = (str(out / name) for name in ("clean", "signatures", "buckets", "remove"))
    stages: list[tuple[int, list[Any]]] = [
        (tasks, [JsonlReader(str(data)), *rules, JsonlWriter(clean)]),
        (tasks, [JsonlReader(clean), MinhashDedupSignature(signatures, config=config, language=Languages.english)]),
        (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        (1, [MinhashDedupCluster(buckets, remove, config=config)]),
        (tasks, [JsonlReader(clean), MinhashDedupFilter(remove), JsonlWriter(str(out / "deduplicated"))]),
    ]
    for number, (parts, pipeline) in enumerate(stages):
        logs = str(out / f"logs-{number}")
        LocalPipelineExecutor(pipeline=pipeline, tasks=parts, workers=workers, logging_dir=logs).run()
        logger.remove()
