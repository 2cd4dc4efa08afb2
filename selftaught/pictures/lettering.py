"""Texts of users on pages that matplotlib draws: as they are written, and Chinese ones too."""

from functools import lru_cache

_CHINESE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC",
    "Microsoft YaHei", "SimHei", "Arial Unicode MS",
)  # fmt: skip


def literal(text: str) -> str:
    """The text so that it is drawn as it is. Between two dollars matplotlib reads formulas, and fails at bad ones."""
    return text.replace("$", r"\$")


@lru_cache(maxsize=1)
def fonts() -> list[str]:
    """matplotlib's own font, and one that has Chinese characters if this machine has one."""
    from matplotlib.font_manager import fontManager

    there = {entry.name for entry in fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in _CHINESE if name in there][:1]]
