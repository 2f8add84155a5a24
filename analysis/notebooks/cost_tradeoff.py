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
# # What does accuracy cost?
#
# H against the cost of an epoch: ours, then figure 3 of the paper. One N is the cost of an epoch of vanilla training.

# %%
from analysis.notebooks.show import open_results, show_figure, show_open, show_settings, show_table

RESULTS = "results"
results = open_results(RESULTS)

# %% [markdown]
# ## H against cost

# %%
show_figure("cost", results)

# %%
show_figure("printed", results)

# %%
show_figure("pareto", results)

# %%
show_settings(results)

# %% [markdown]
# ## All methods

# %%
show_table("entprop/2", results)

# %%
show_table("entprop/4", results)

# %% [markdown]
# ## The papers' cost formulas and our count

# %%
show_table("entprop/1", results)

# %%
show_table("mixprop/4", results)

# %% [markdown]
# ## What is open

# %%
show_open(results, "entprop/2", "entprop/4")
