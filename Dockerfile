# The environment of requirements.lock. A study's folder and the caches stay outside the image:
#   docker build -t entprop .
#   docker run --rm --shm-size=2g -v "$PWD/runs:/study/runs" entprop --budget 4N          (with GPUs: --gpus all)
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /study
COPY Makefile pyproject.toml setup.py requirements.lock README.md LICENSE ./
RUN make env
COPY . .
ENV PATH="/study/.venv/bin:$PATH"
ENTRYPOINT ["entprop"]
CMD ["--help"]
