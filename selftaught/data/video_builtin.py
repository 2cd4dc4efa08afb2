"""Clips that every machine has: they are drawn."""

from collections.abc import Callable
from functools import partial

from selftaught.data.ball_source import ball_source
from selftaught.data.files import suggestion
from selftaught.data.video_item import VideoSource
from selftaught.errors import SelftaughtError

BUILTIN = "builtin:"
BUILTIN_VIDEOS: dict[str, Callable[[], VideoSource]] = {
    "balls": partial(ball_source, meet=True),
    "balls-apart": partial(ball_source, meet=False),
}


def builtin_videos(name: str) -> VideoSource:
    """Those called ``builtin:`` and this name.

    Raises:
        SelftaughtError: if there are none.
    """
    if name not in BUILTIN_VIDEOS:
        there_are = "there are: " + ", ".join(BUILTIN + known for known in BUILTIN_VIDEOS)
        do = suggestion(name, BUILTIN_VIDEOS) or (there_are if BUILTIN_VIDEOS else "name a folder of videos")
        raise SelftaughtError(f"there are no built-in clips called {name!r}", do=do)
    return BUILTIN_VIDEOS[name]()
