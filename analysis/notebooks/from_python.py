# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does `study.run` return?
#
# A study as an object: its answer, its tables as DataFrames, the recommended setting. `docs/python.md` has more, also
# how to get the trained network.

# %%
from analysis.notebooks.show import open_study

RESULTS = "results/fashion-4N-race"
results = open_study(RESULTS)
results

# %%
results.best

# %%
results.confirm.groupby("why")[["cost", "sa", "ra", "h"]].mean().round(2)

# %%
results.trials.nlargest(5, "val_h")[["trial", "k", "n", "epsilon", "metric", "cost", "val_h"]].round(3)

# %%
results.race.groupby("why")["val_h"].agg(["mean", "std", "count"]).round(2)
