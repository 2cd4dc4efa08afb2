"""Data sets of the Hugging Face Hub, downloaded into its cache: the one place here that uses the network."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from selftaught.data.files import KINDS, PACKINGS
from selftaught.errors import SelftaughtError

HUB = "hf:"


def hub_folder(name: str, kinds: Iterable[str] = KINDS) -> Path:
    """Downloads what can be read of ``OWNER/NAME[@revision][/subfolder or file]``; gives its place.

    The data set's own README is left out. A slash in a revision is written ``%2F``.

    Args:
        kinds: suffixes of what can be read.

    Raises:
        SelftaughtError: there is no such data set, it may not be read, or the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download  # slow to load, seldom needed
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    dataset, revision, subfolder = split_name(name)
    folder = f"{subfolder}/" if subfolder else ""
    patterns = [f"{folder}*{suffix}{packing}" for suffix in kinds for packing in ("", *PACKINGS)]
    try:
        root = snapshot_download(
            dataset,
            repo_type="dataset",
            revision=revision,
            allow_patterns=[*patterns, subfolder] if subfolder else patterns,
            ignore_patterns="README.md",
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise SelftaughtError(
            f"the data set {dataset!r} cannot be fetched: {str(error).strip().splitlines()[0]}",
            where=HUB + name,
            do="check its name and the network, or download it by hand and name its folder",
        ) from error
    return Path(root, subfolder)


def split_name(name: str) -> tuple[str, str | None, str]:
    """``owner/name@v1/data/en`` -> ``("owner/name", "v1", "data/en")``."""
    parts = name.strip("/").split("/")
    named = 1 if "@" in parts[0] else 2
    dataset, _, revision = "/".join(parts[:named]).partition("@")
    return dataset, unquote(revision) or None, "/".join(parts[named:])
