"""The plan as data: exact where it is a formula, tested for its law where it is random."""

import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import anderson

from loadtests import plan as plan_module
from loadtests.plan import ClosedModel, ClosedStage, OpenModel, Plan, Stage

S = 1_000_000_000


def steady(rate, seconds, arrivals="constant"):
    """Return a model of one rate."""
    return OpenModel((Stage(round(seconds * S), rate, rate),), arrivals)


def expected_until(model, at_ns):
    """Return the expected number of arrivals until a moment, in exact fractions: the area under the rate."""
    area, left = Fraction(0), Fraction(int(at_ns), S)
    for stage in model.stages:
        length = Fraction(stage.duration_ns, S)
        a, b = Fraction(stage.start_per_s), Fraction(stage.end_per_s)
        t = min(left, length)
        area += a * t + (b - a) * t * t / (2 * length)
        left -= t
    return area


def dispersion(offsets_ns, seconds):
    """Return Var/Mean of the counts per second: 1 of a Poisson process, 0 of a metronome."""
    counts = np.bincount(offsets_ns // S, minlength=seconds)
    return counts.var(ddof=1) / counts.mean()


def looks_exponential(gaps):
    """Whether Anderson and Darling's test finds nothing against exponential gaps at 1 %."""
    return anderson(gaps, "expon", method="interpolate").pvalue > 0.01


stages = st.lists(
    st.builds(Stage, st.integers(1 * S, 20 * S), st.floats(0, 40), st.floats(0.5, 40)), min_size=1, max_size=4
).map(tuple)
models = st.builds(OpenModel, stages, st.sampled_from(["constant", "poisson"]))


@pytest.mark.parametrize(
    ("rate", "seconds", "offsets_s"),
    [
        (2, 2, [0, 0.5, 1, 1.5]),  # the end itself is outside
        (0.1, 30, [0, 10, 20]),
        (1, 2.5, [0, 1, 2]),
        (1 / 3, 3, [0]),
        (4, 0.25, [0]),
    ],
)
def test_constant(rate, seconds, offsets_s):
    """Arrival k is due at k / rate."""
    assert Plan(steady(rate, seconds), seed=1).offsets_ns().tolist() == [round(t * S) for t in offsets_s]


@given(st.integers(1, 300), st.integers(1, 60), st.integers(1, 300))
def test_constant_count(arrivals, per_s, seconds):
    """Exactly rate x duration arrivals, whatever is lost in the rate's last digit."""
    planned = Plan(steady(arrivals / per_s, seconds), seed=1).fingerprint()[0]
    assert planned == math.ceil(Fraction(arrivals, per_s) * seconds)


@pytest.mark.parametrize("minutes", [1, 60])
def test_constant_count_over_stages(minutes):
    """Sums of stages are no more exact than floating point, and still no arrival is lost or made."""
    model = OpenModel(tuple(Stage(60 * S, 0.1 * k, 0.1 * k) for k in range(1, 30)) * minutes, "constant")
    assert Plan(model, seed=1).fingerprint()[0] == minutes * 60 * sum(range(1, 30)) // 10


def test_ramp_from_nothing():
    """From 0 to b over D arrival k is due at sqrt(2 k D / b): here sqrt(2 k)."""
    offsets = Plan(OpenModel((Stage(10 * S, 0.0, 10.0),), "constant"), seed=1).offsets_ns()
    assert len(offsets) == 50
    assert [int(offsets[k]) for k in (0, 2, 8, 18, 32)] == [0, 2 * S, 4 * S, 6 * S, 8 * S]


def test_ramp_to_nothing():
    """From b to 0 over D the ramp is the mirror image: sqrt(2 j D / b) before the end, j arrivals are left."""
    offsets = Plan(OpenModel((Stage(10 * S, 10.0, 0.0),), "constant"), seed=1).offsets_ns()
    assert len(offsets) == 50
    assert [int(offsets[50 - j]) for j in (2, 8, 18, 32, 50)] == [8 * S, 6 * S, 4 * S, 2 * S, 0]


def test_level_ramp():
    """A ramp from a rate to the same rate is that rate."""
    ramp = OpenModel((Stage(3 * S, 7.0, 7.0), Stage(5 * S, 7.0, 7.0)), "constant")
    assert Plan(ramp, seed=1).offsets_ns().tolist() == Plan(steady(7.0, 8), seed=1).offsets_ns().tolist()


@given(stages)
@settings(max_examples=40)
def test_ramps_solve_their_equation(several):
    """At its offset, k arrivals were expected: a t + (b - a) t^2 / (2 D) = k, through any stages."""
    model = OpenModel(several, "constant")
    offsets = Plan(model, seed=1).offsets_ns()
    assert len(offsets) == pytest.approx(model.expected, abs=1)
    for k, offset in enumerate(offsets.tolist()):
        assert float(expected_until(model, offset) - k) == pytest.approx(0, abs=1e-6)


@given(models, st.integers(0, 2**32))
def test_ascending_and_inside(model, seed):
    """Offsets ascend and lie within the model's time."""
    offsets = Plan(model, seed).offsets_ns()
    assert (np.diff(offsets) >= 0).all()
    assert ((offsets >= 0) & (offsets <= model.duration_ns)).all()


@given(stages, st.integers(1, 9))
def test_constant_shards(several, shards):
    """The union of all shards is the plan of one, to the nanosecond, and shard w begins with arrival w."""
    model = OpenModel(several, "constant")
    whole = Plan(model, seed=1).offsets_ns()
    parts = [Plan(model, 1, shard, shards).offsets_ns() for shard in range(shards)]
    assert np.array_equal(np.sort(np.concatenate(parts)), whole)
    for shard, part in enumerate(parts):
        assert np.array_equal(part, whole[shard::shards])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson(seed):
    """Counts per second vary as much as their mean, and the gaps are exponential."""
    offsets = Plan(steady(100, 4000, "poisson"), seed).offsets_ns()
    assert len(offsets) == pytest.approx(400_000, abs=4 * math.sqrt(400_000))
    assert 0.9 <= dispersion(offsets, 4000) <= 1.1
    assert looks_exponential(np.diff(offsets[:5000]))


def test_the_test_of_poisson():
    """Evenly spaced arrivals, and evenly distributed gaps, are found out."""
    assert dispersion(Plan(steady(100, 600), seed=1).offsets_ns(), 600) == 0
    assert not looks_exponential(np.random.default_rng(1).uniform(0, 2, 5000))


def test_poisson_ramp():
    """On the clock of expected arrivals, a Poisson process of any rate is one of rate 1."""
    model = OpenModel((Stage(60 * S, 0.0, 50.0), Stage(60 * S, 50.0, 20.0)), "poisson")
    offsets = Plan(model, seed=5).offsets_ns()
    clock = np.array([float(expected_until(model, offset)) for offset in offsets.tolist()])
    gaps = np.diff(clock)
    assert gaps.mean() == pytest.approx(1, abs=4 / math.sqrt(len(gaps)))
    assert looks_exponential(gaps)


@pytest.mark.parametrize("shards", [2, 7])
def test_poisson_shards(shards):
    """The shards' superposition is the Poisson process of the whole, and no shard copies another."""
    model = steady(100, 1000, "poisson")
    parts = [Plan(model, 1, shard, shards).offsets_ns() for shard in range(shards)]
    union = np.sort(np.concatenate(parts))
    assert len(union) == pytest.approx(100_000, abs=4 * math.sqrt(100_000))
    assert 0.9 <= dispersion(union, 1000) <= 1.1
    assert looks_exponential(np.diff(union[:5000]))
    for one, other in itertools.combinations(parts, 2):
        assert len(np.intersect1d(one, other)) <= 2


@given(models, st.integers(0, 9), st.integers(1, 50))
@settings(max_examples=50)
def test_chunks(model, seed, length):
    """However short the chunks, the plan is the same (a Poisson one within a nanosecond of rounding)."""
    whole = Plan(model, seed).offsets_ns()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan_module, "_CHUNK", length)
        chunks = list(Plan(model, seed).chunks())
    assert all(chunk.size <= length for chunk in chunks)
    joined = np.concatenate([whole[:0], *chunks])
    assert joined.size == whole.size
    assert np.abs(joined - whole).max(initial=0) <= (model.arrivals == "poisson")


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_huge_plans_are_made_as_they_are_used(arrivals):
    """A day at ten thousand a second begins at once and takes the memory of a chunk."""
    plan = Plan(steady(10_000, 86_400, arrivals), seed=1)
    next(plan.chunks())
    tracemalloc.start()
    try:
        sizes = [chunk.size for chunk in itertools.islice(plan.chunks(), 20)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(sizes) <= 8192
    assert peak < 20 * 8192 * 8


def test_fingerprint():
    """The same plan has the same hash in any process, another seed or shard another one."""
    model = steady(50, 60, "poisson")
    plans = [Plan(model, 1), Plan(model, 2), Plan(model, 1, 0, 2), Plan(model, 1, 1, 2), Plan(steady(51, 60), 1)]
    assert len({plan.fingerprint()[1] for plan in plans}) == len(plans)
    for plan in plans:
        assert plan.fingerprint() == Plan(plan.model, plan.seed, plan.shard, plan.shards).fingerprint()
        assert plan.fingerprint()[0] == len(plan.offsets_ns())


def test_nothing_planned():
    """A model of no stages, or a shard beyond the last arrival, has no arrivals."""
    assert Plan(OpenModel(()), seed=1).offsets_ns().size == 0
    assert Plan(steady(1, 3), 1, shard=5, shards=9).fingerprint()[0] == 0


def test_expected():
    """A ramp is expected to bring its mean rate."""
    model = OpenModel((Stage(10 * S, 0.0, 100.0), Stage(5 * S, 40.0, 40.0)))
    assert (model.expected, model.duration_ns) == (700, 15 * S)


def test_closed_model():
    """A closed model has a length and no plan of arrivals."""
    model = ClosedModel((ClosedStage(10 * S, 5), ClosedStage(20 * S, 50)))
    assert model.duration_ns == 30 * S
    assert not hasattr(model, "arrivals")
