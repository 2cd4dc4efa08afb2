"""What a tar file may hold beside what it should: each such member is named, and none becomes larger than on disk."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from selftaught.data.tars import TarProblem, member_problem, opened_tar


def test_links_devices_holes_and_giants_are_named() -> None:
    def problem(**facts: object) -> str:
        member = tarfile.TarInfo("a.png")
        for name, value in facts.items():
            setattr(member, name, value)
        return member_problem(member, 1000)

    assert problem(size=1000) == ""
    assert "1,001 bytes" in problem(size=1001)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        assert "no file" in problem(type=kind)
    assert "holes" in problem(type=tarfile.GNUTYPE_SPARSE, sparse=[(0, 1)], size=900)


@pytest.mark.parametrize("content", [b"", b"no tar", gzip.compress(bytes(4096), mtime=0), bytes(300)])
def test_what_is_no_plain_tar_file_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(TarProblem, match="to its end"), opened_tar(tmp_path / "a.tar") as shard:
        list(shard)


def test_a_packed_tar_file_is_not_unpacked(tmp_path: Path) -> None:
    """Its members could be a thousand times as large as it is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.png"))
    (tmp_path / "a.tar").write_bytes(gzip.compress(out.getvalue())[:-1])
    with pytest.raises(TarProblem), opened_tar(tmp_path / "a.tar"):
        pass
