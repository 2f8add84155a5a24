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
# # Which corruptions and attacks does a setting survive?
#
# First the corruptions, then PGD-20, then both against each other. At the end, what the batch norms see during
# training.

# %%
from analysis.notebooks.show import open_results, show_attacks, show_figure, show_open, show_table

RESULTS = "results"
results = open_results(RESULTS)

# %% [markdown]
# ## Corruptions

# %%
show_figure("deciding", results)

# %%
show_figure("corruptions", results)

# %% [markdown]
# ## Attacks
#
# The paper's table 16 has accuracy under PGD-20 for each k, but not the radius of the attack. So ours has several.

# %%
show_figure("pgd", results)

# %%
show_attacks(results)

# %%
show_figure("attacks", results)

# %%
show_table("entprop/11", results)

# %%
show_table("ceb/figure2", results)

# %% [markdown]
# ## What the norms see

# %%
show_figure("entropy", results)

# %%
show_figure("histogram", results)

# %%
show_table("entprop/figure6", results)

# %% [markdown]
# ## What is open

# %%
show_open(results, "entprop/11", "ceb/figure2", "entprop/figure6")
