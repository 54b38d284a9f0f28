"""Day 38. Past one machine: what does a study gain from a thousand workers, and what does it lose on the way?"""

from fortydays.lessons.day38_past_one_machine.measured import (
    HAND,
    SAME_ON_ONE,
    SAME_ON_TWO,
    SERIAL,
    SETUP,
    driver,
    same_bits,
)
from fortydays.lessons.day38_past_one_machine.plan import (
    RATES,
    TOLD,
    TRIALS,
    WORKERS,
    by_amdahl,
    failed,
    faster,
    in_vain,
    longest_first,
    played,
    shared,
    speedup,
    with_failures,
)
from fortydays.lessons.day38_past_one_machine.simulation import Cluster
from fortydays.study.claims import Comparison, InEverySeed, Threshold
from fortydays.study.design import Study
from fortydays.study.drills import Drill
from fortydays.study.overviews import MetricsOverview

CALM = Cluster(workers=1)
FAILURES = 0.1
"""Of a worker in an hour of training: one failure in ten hours."""

FAILING = Cluster(workers=1, failures_per_hour=FAILURES)
SLOW = Cluster(workers=1, slow_share=0.03, slow_times=4)
BACKED_UP = Cluster(workers=1, slow_share=0.03, slow_times=4, backups=True)
PLAN = Cluster(workers=1, slow_share=0.03, slow_times=4, backups=True, failures_per_hour=FAILURES)

SAME_TRIALS = {"pairing decides": "with one seed, all clusters train the same trials"}

LINES = {
    "ideal": (faster(shared, CALM), "all work is shared"),
    "amdahl": (faster(by_amdahl, CALM), "the driver's seconds are not shared"),
    "calm": (faster(played, CALM), "simulated: nothing goes wrong"),
    "failures": (faster(played, FAILING), "one failure in ten hours of a worker"),
    "slow workers": (faster(played, SLOW), "3 attempts of 100 take four times as long"),
    "backups": (faster(played, BACKED_UP), "the same, and slow trials are begun twice"),
    "longest first": (faster(longest_first, CALM), "nothing goes wrong, and the longest trials begin"),
    "plan": (faster(longest_first, PLAN), "failures, slow workers, backups, longest first"),
}

study = Study(
    title="Past one machine",
    drills=(
        *(
            Drill(name=name, do=do, metrics=tuple(map(speedup, WORKERS)), group="speed-up", description=words)
            for name, (do, words) in LINES.items()
        ),
        *(
            Drill(
                name=name,
                do=with_failures(checkpoints=checkpoints),
                metrics=(*map(in_vain, RATES), *map(failed, TOLD)),
                group="lost workers",
                description=words,
            )
            for name, checkpoints, words in (
                ("checkpoints", True, "a trial goes on from its last epoch"),
                ("from scratch", False, "a trial begins anew"),
            )
        ),
        Drill(
            name="driver",
            do=driver,
            metrics=(SETUP, HAND, SERIAL),
            group="on this machine",
            description="CPU seconds of studies with next to no training",
        ),
        Drill(
            name="same bits",
            do=same_bits,
            metrics=(SAME_ON_ONE, SAME_ON_TWO),
            group="on this machine",
            description="weights on a cluster of one's own and in one process",
        ),
    ),
    claims=(
        InEverySeed(
            sentence="Two workers of a cluster give the same bits as one process",
            variant="same bits",
            metric=SAME_ON_TWO.name,
            at_least=1.0,
        ),
        Threshold(
            sentence="What the driver alone does takes at most the 410 CPU seconds of the simulation",
            variant="driver",
            metric=SERIAL.name,
            at_most=CALM.driver_seconds(TRIALS),
        ),
        Comparison(
            sentence="With 100 workers, a study that loses workers has at least nine tenths of Amdahl's speed-up",
            metric=speedup(100).name,
            variant="failures",
            than="amdahl",
            scale=0.9,
            direction="above",
            expected=SAME_TRIALS,
        ),
        Comparison(
            sentence="With 1,000 workers, it has less than two thirds of it",
            metric=speedup(1000).name,
            variant="failures",
            than="amdahl",
            scale=2 / 3,
            direction="below",
            expected=SAME_TRIALS,
        ),
        Comparison(
            sentence="With 1,000 workers, failures take less than a twentieth of the speed-up",
            metric=speedup(1000).name,
            variant="failures",
            than="calm",
            scale=0.95,
            direction="above",
            expected=SAME_TRIALS,
        ),
        InEverySeed(
            sentence="At one failure in ten hours, no trial fails",
            variant="checkpoints",
            metric=failed(0.1).name,
            at_most=0.0,
        ),
        Comparison(
            sentence="At one failure an hour, checkpoints cut the work in vain to less than a tenth",
            metric=in_vain(1.0).name,
            variant="checkpoints",
            than="from scratch",
            scale=0.1,
            direction="below",
            expected=SAME_TRIALS,
        ),
        Comparison(
            sentence="With 1,000 workers of which some are slow, backups give at least half more speed-up",
            metric=speedup(1000).name,
            variant="backups",
            than="slow workers",
            scale=1.5,
            direction="above",
            expected=SAME_TRIALS,
        ),
        Comparison(
            sentence="With 1,000 workers, the longest trials first give at least a quarter more speed-up",
            metric=speedup(1000).name,
            variant="longest first",
            than="calm",
            scale=1.25,
            direction="above",
            expected=SAME_TRIALS,
        ),
    ),
    first=(
        MetricsOverview(
            title="What a study gains from a thousand workers",
            caption="How many times faster 4,000 trials are than in one process, if all of it is shared, by Amdahl's "
            "law, and in a simulation with one failure in ten hours of a worker; with its 95% interval over seeds.",
            variants=("ideal", "amdahl", "failures"),
            metrics={speedup(workers).name: workers for workers in WORKERS},
            x_label="workers",
            y_label="speed-up",
            y_from=0,
        ),
    ),
    exhibits=(
        MetricsOverview(
            title="What becomes of the speed-up",
            caption="The same in six simulations: what goes wrong, and what helps; with its 95% interval over seeds.",
            variants=tuple(LINES)[2:],
            metrics={speedup(workers).name: workers for workers in WORKERS},
            x_label="workers",
            y_label="speed-up",
            y_from=0,
        ),
        MetricsOverview(
            title="What lost workers cost",
            caption="The share of training that is done again, with 100 workers; with its 95% interval over seeds.",
            variants=("checkpoints", "from scratch"),
            metrics={in_vain(rate).name: rate for rate in RATES},
            x_label="failures of a worker in an hour (logarithmic)",
            y_label="work in vain",
            x_axis="logarithmic",
            y_from=0,
        ),
    ),
)
