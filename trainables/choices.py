"""Names to choose from that several rooms share; the annotation of an option is the list of its choices."""

from typing import Literal

Metric = Literal["entropy", "cross_entropy", "confidence", "margin"]  # scores of uncertainty
Mixing = Literal["mixup", "cutmix", "none"]
Selection = Literal["top", "random"]  # of samples: the most uncertain ones, or random ones
Start = Literal["none", "uniform", "occasional"]  # of the attacks of training methods
AttackStatistics = Literal["batch", "running"]  # of batch norms in attack passes
Marginal = Literal["mixture", "single"]  # of a bottleneck's encodings
Precision = Literal["fp32", "tf32", "bf16"]  # in which a trial trains
ValidationCorruptions = Literal["veils", "imagenet-c"]  # what a search sees of its validation images
