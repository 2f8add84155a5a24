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
# # How much do k, n and ε matter?
#
# Gains in H over vanilla with 95 % intervals, beside the published series. Mixup alone is the dash-dotted line: only
# what lies above it is a gain of EntProp.

# %%
from analysis.notebooks.show import open_results, show_figure, show_open, show_table

RESULTS = "results"
results = open_results(RESULTS)

# %% [markdown]
# ## The share k
#
# Accuracy under PGD-20 for each k is in `robustness.ipynb`, because the paper does not print the radius of its attack.

# %%
show_figure("k", results)

# %%
show_table("entprop/16", results)

# %% [markdown]
# ## The attack iterations n

# %%
show_figure("n", results)

# %%
show_table("entprop/17", results)

# %% [markdown]
# ## The radius ε

# %%
show_figure("epsilon", results)

# %%
show_table("entprop/epsilon", results)

# %% [markdown]
# ## Highest entropy or random samples

# %%
show_figure("selection", results)

# %%
show_table("entprop/figure4", results)

# %% [markdown]
# ## What is open

# %%
show_open(results, "entprop/16", "entprop/17", "entprop/epsilon", "entprop/figure4")
