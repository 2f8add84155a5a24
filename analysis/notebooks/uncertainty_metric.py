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
# # Which measure of uncertainty should choose the samples?
#
# Four measures at k = 0.2 and n = 1: entropy, cross-entropy, confidence and margin. In the paper, the best one differs
# from network to network.

# %%
from analysis.notebooks.show import open_results, show_figure, show_open, show_table

RESULTS = "results"
results = open_results(RESULTS)

# %%
show_figure("metric", results)

# %%
show_table("entprop/8", results)

# %% [markdown]
# ## What is open

# %%
show_open(results, "entprop/8")
