"""The plan of a pretraining: values computed by hand, and trainings whose cost was published."""

from dataclasses import replace

import pytest

from selftaught.errors import SelftaughtError
from selftaught.scaling.devices import DEVICES, Device
from selftaught.scaling.estimate import Question, bandwidth, estimate
from selftaught.scaling.network import Layout, Network, fitting_layout

LLAMA_7B = Network(6.74e9, 32, 4096, 32, 11008, 32_000, 4096)
LLAMA_13B = Network(13.0e9, 40, 5120, 40, 13824, 32_000, 4096)
SMALL = Network(1e6, 2, 128, 4, 512, 1000, 64)
H100, A100 = DEVICES["H100"], DEVICES["A100"]


def on(network: Network, tokens: float, device: Device, gpus: int, batch: int | None = None) -> Question:
    return Question(network, tokens, device, gpus, batch)


def test_operations_of_a_token() -> None:
    assert SMALL.flops == 6 * (1e6 + 2 * 2 * 64 * 128)


@pytest.mark.parametrize(("parameters", "layers", "width"), [(6.7e9, 32, 4096), (13e9, 40, 5120)])
def test_a_shape_is_of_the_usual_proportions(parameters: float, layers: int, width: int) -> None:
    """GPT-3's (Brown et al. 2020, table 2.1); the loss hardly depends on it."""
    found = Network.of(parameters, layers=None, width=None, vocabulary=32_000, length=2048)
    assert found.layers == pytest.approx(layers, rel=0.35)
    assert found.width == pytest.approx(width, rel=0.35)
    assert 12 * found.layers * found.width**2 == pytest.approx(parameters, rel=0.1)


def test_what_is_given_of_a_shape_is_kept() -> None:
    found = Network.of(1e9, layers=10, width=None, vocabulary=5, length=7)
    assert (found.layers, found.vocabulary, found.length) == (10, 5, 7)
    assert 12 * 10 * found.width**2 == pytest.approx(1e9, rel=0.05)


def test_memory_of_a_rank() -> None:
    alone = Layout(4, sharded=False, recomputed=False, rows=2, accumulated=1).memory(SMALL, 4)
    assert (alone.weights, alone.gradients, alone.moments) == (4e6, 4e6, 8e6)
    assert alone.activations == 2 * 64 * (4 * 2 * (10 * 128 + 4 * 512) + 12 * 1000)
    shared = Layout(4, sharded=True, recomputed=False, rows=2, accumulated=1).memory(SMALL, 4)
    assert (shared.weights, shared.gradients, shared.moments) == (1e6 + 2e6, 1e6, 2e6)
    again = Layout(4, sharded=True, recomputed=True, rows=2, accumulated=2).memory(SMALL, 4)
    assert again.gradients == 4e6
    assert again.activations == 2 * 64 * (4 * (10 * 128 + 4 * 512 + 2 * 128) + 12 * 1000)


def test_the_simplest_layout_that_fits_is_taken() -> None:
    assert fitting_layout(SMALL, 4, 64, 1e9, 4) == Layout(4, sharded=False, recomputed=False, rows=16, accumulated=1)
    little = fitting_layout(SMALL, 4, 64, 19e6, 4)
    assert little == Layout(4, sharded=False, recomputed=False, rows=1, accumulated=16)
    less = fitting_layout(SMALL, 4, 64, 12e6, 4)
    assert less is not None
    assert less.sharded
    assert fitting_layout(SMALL, 4, 64, 1e6, 4) is None


def test_what_fits_nowhere_is_said() -> None:
    with pytest.raises(SelftaughtError, match="do not hold it") as caught:
        estimate(on(replace(LLAMA_13B, parameters=2e12), 1e12, H100, 8))
    assert "--gpus" in caught.value.do
    with pytest.raises(SelftaughtError, match="cannot be shared by 512 ranks"):
        estimate(on(LLAMA_7B, 1e12, H100, 512, batch=100))


def test_what_is_sent() -> None:
    """Three quarters of four bytes a weight, twice for a sum, once for each time that weights come together."""
    device = replace(A100, memory=1e9)
    assert estimate(on(SMALL, 1e9, device, 4, 64)).sent == 2 * 0.75 * 4e6
    assert estimate(on(SMALL, 1e9, replace(A100, memory=8e6, number_bytes=1), 4, 4)).sent == 3 * 0.75 * 4e6
    assert bandwidth(H100, 8) == 450e9
    assert bandwidth(H100, 16) == 400e9  # eight networks of 50 GB/s


@pytest.mark.parametrize(("network", "tokens", "hours"), [(LLAMA_7B, 2e12, 184_320), (LLAMA_13B, 2e12, 368_640)])
def test_trainings_whose_hours_were_published(network: Network, tokens: float, hours: float) -> None:
    """Of A100 (Touvron et al. 2023, Llama 2, table 2)."""
    made = estimate(on(network, tokens, A100, 1024, 1024))
    assert 24 * 1024 * made.days == pytest.approx(hours, rel=0.25)


def test_failures_and_operations_of_llama_3() -> None:
    large = Network(405e9, 126, 16_384, 128, 53_248, 128_256, 8192)
    made = estimate(on(large, 15.6e12, replace(H100, memory=1e12), 16_384, 16_384))
    assert made.failures_a_day == pytest.approx(419 / 54)
    assert made.flops == pytest.approx(3.8e25, rel=0.1)
    assert made.goodput > 0.9


def test_the_whole_holds_together() -> None:
    made = estimate(on(LLAMA_7B, 1e12, H100, 512))
    assert made.steps * made.batch * LLAMA_7B.length == pytest.approx(1e12, rel=1e-3)
    assert made.days_undisturbed == pytest.approx(made.steps * made.step / 86_400)
    assert made.days == pytest.approx(made.days_undisturbed / made.goodput)
    assert made.likely_days[0] <= made.days * 1.01
    assert made.corpus_tokens == 2e12
    assert made.checkpoint == 12 * 6.74e9
    assert made.layout.sharded
    assert made.simulated == pytest.approx(made.daly, rel=0.05)
    assert made.memory.total < 0.9 * H100.memory


def test_more_failures_cost_more() -> None:
    often = replace(H100, hours=H100.hours / 100)
    usual, worse = (estimate(on(LLAMA_7B, 1e12, device, 512)) for device in (H100, often))
    assert worse.days > usual.days
    assert worse.daly < usual.daly
    assert worse.likely_days[1] - worse.likely_days[0] > 0
