"""The gate once more in plain loops, from the formulas of docs/measurement.md and no library: slow, and easy to check.

Nothing is shared with the code under test: the incomplete beta function is a power series, quantiles are bisected,
waves are summed second by second, and own series are counted request by request.
"""

import math
from statistics import NormalDist


def incomplete_beta(x, a, b):
    """Return I_x(a, b) by its series x^a (1-x)^b / (a B(a, b)) sum_k (a+b)..(a+b+k-1) / ((a+1)..(a+k)) x^k.

    All terms are positive, so nothing cancels. Beyond 1/2 the mirror image 1 - I_{1-x}(b, a) is summed instead, being
    shorter; and so far beyond the mean as to overflow, the rest of the distribution is under 1e-13.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > 0.5:
        return 1 - incomplete_beta(1 - x, b, a)
    if x * (a + b) > a + 40 + 8 * math.sqrt(a):
        return 1.0
    term = total = 1.0
    k = 0
    while term > 1e-17 * total:
        term *= (a + b + k) / (a + 1 + k) * x
        total += term
        k += 1
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * total / a


def bisect(rising, level, low, high):
    """Return where a rising function crosses a level."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < level else (low, middle)
    return (low + high) / 2


def beta_quantile(p, a, b):
    """Return BetaInv(p; a, b)."""
    return bisect(lambda x: incomplete_beta(x, a, b), p, 0.0, 1.0)


def student_quantile(p, df):
    """Return the upper quantile t_p, from P(T > t) = I_{df/(df+t^2)}(df/2, 1/2) / 2 for t > 0."""
    return bisect(lambda t: 1 - incomplete_beta(df / (df + t * t), df / 2, 0.5) / 2, p, 0.0, 1000.0)


def bounds(k, n, alpha=0.05):
    """Return the one-sided Clopper-Pearson bounds."""
    lower = 0.0 if k == 0 else beta_quantile(alpha, k, n - k + 1)
    upper = 1.0 if k == n else beta_quantile(1 - alpha, k + 1, n - k)
    return lower, upper


def at_most(k, n, p):
    """Return the binomial P(X <= k), term by term."""
    log_n = math.lgamma(n + 1)
    return math.fsum(
        math.exp(log_n - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p))
        for i in range(k + 1)
    )


def share(series, counts):
    """Return E(v): waves from 20 events on, blocks below."""
    n, events, seconds = sum(counts), sum(series), len(counts)
    if events in (0, n):
        return 1.0
    q = events / n
    z = [v - q * c for v, c in zip(series, counts, strict=True)]
    if events >= 20:
        df = max(1, min(6 if seconds >= 60 else 4, seconds - 1))
        power = 0.0
        for j in range(1, df + 1):
            wave = math.fsum(z[t] * math.cos(math.pi * j * (t + 0.5) / seconds) for t in range(seconds))
            power += 2 / seconds * wave * wave
        variance = seconds / df * power / n**2
    else:
        df = 19
        power = 0.0
        for k in range(20):
            first, after = math.floor(k * seconds / 20), math.floor((k + 1) * seconds / 20)
            power += math.fsum(z[first:after]) ** 2
        variance = 20 / 19 * power / n**2
    deff = max(1.0, variance / (q * (1 - q) / n))
    return (NormalDist().inv_cdf(0.95) / student_quantile(0.95, df)) ** 2 / deff


def verdict(n_effective, observed, budget, seconds):
    """Return (lower, upper, decision)."""
    lower, upper = bounds(observed * n_effective, n_effective)
    if observed >= budget / 0.05:
        return lower, upper, "FAIL"
    if seconds >= 30 and upper <= budget:
        return lower, upper, "PASS"
    if seconds >= 30 and lower > budget:
        return lower, upper, "FAIL"
    return lower, upper, "INCONCLUSIVE"


def gate(counts, bad, budget, own=(), burst=1.0):
    """Return (n_e, lower, upper, decision) of one objective; the lists hold one count a second."""
    n = sum(counts)
    n_effective = n * min([share(v, counts) for v in (bad, *own)] + [1 / burst])
    return (n_effective, *verdict(n_effective, sum(bad) / n, budget, len(counts)))


def own_series(requests, seconds, budget):
    """Return the three own series from single requests (second, bucket); a failed one has bucket None.

    Edges lie below each bucket that occurs and above the last; the nearest number above wins, of two the lower edge.
    """
    n = len(requests)
    rank = [(second, math.inf if bucket is None else bucket) for second, bucket in requests]
    edges = [*sorted({bucket for _, bucket in requests if bucket is not None}), math.inf]
    found = []
    for factor in (1, 2, 5):
        wanted = min(factor * budget, 0.5) * n
        best = None
        for edge in edges:
            above = [second for second, bucket in rank if bucket >= edge]
            if above and (best is None or abs(len(above) - wanted) < abs(len(best) - wanted)):
                best = above
        found.append([(best or []).count(second) for second in range(seconds)])
    return found
