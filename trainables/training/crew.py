"""A trial that several processes train: the first one leads, calls the others for each epoch, and keeps the results.

How the others are started is up to the caller: here as processes of this machine, in a study as actors that Ray places.
"""

import contextlib
import datetime
import io
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist

from trainables.config import TrialConfig
from trainables.data.images import Splits
from trainables.functional.shares import Group
from trainables.training import Row
from trainables.training.loop import splits_of, train
from trainables.training.state import TrainState, build_network

MEETING = datetime.timedelta(seconds=120)  # in which all processes must have found each other
PATIENCE = datetime.timedelta(hours=12)  # of a process that waits for the others, as while the leader evaluates
ANSWER_S = 30.0  # in which the others answer once a step has failed

Answer = Callable[[float | None], Any]  # waits so many seconds at most for a call's result
Call = Callable[..., Answer]  # (name of a method of `Member`, its arguments) -> the answer, which may come later


class LostProcess(ConnectionError):
    """A process of the trial is gone; the trial can go on from its last epoch with new ones."""


class Member:
    """A process beside the leader: it has the same network, and takes the same steps on its share of each batch."""

    def __init__(self, data: Splits, device: str) -> None:
        self.data, self.device = data, device

    def begin(self, values: dict[str, Any], content: bytes, selections: bool, meeting: tuple[Any, ...]) -> None:
        """Go on from the leader's state, as one of the processes that meet there."""
        config = TrialConfig.from_dict(values)
        splits = splits_of(config, self.data)
        state = TrainState(config, splits, self.device, build_network(config, splits, pretrained=False).to(self.device))
        state.restore(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        host, port, rank = meeting
        leave()
        store = dist.TCPStore(host, port, is_master=False, timeout=MEETING)
        self.epochs = train(state, splits, selections=selections, group=joined(config, store, rank, self.device))

    def epoch(self) -> None:
        """Take part in the next epoch."""
        try:
            next(self.epochs)
        except BaseException:
            leave()  # so that the others do not wait for this process
            raise


class Crew:
    """The leader's view of the other processes; `train` replaces that of the loop."""

    def __init__(self, members: Sequence[Call], device: str, host: str) -> None:
        self.members, self.device, self.host = members, device, host

    def train(self, state: TrainState, splits: Splits, *, selections: bool = False) -> Iterator[Row]:
        """Train with all processes, and yield what the loop yields."""
        group = self.meet(state, selections)
        epochs = train(state, splits, selections=selections, group=group)
        while state.epoch < state.config.epochs:
            with self.together():
                row = next(epochs)
            yield row

    def meet(self, state: TrainState, selections: bool) -> Group:
        """Give all processes the leader's state and form a new group of them."""
        config = state.config
        if config.processes_per_trial != len(self.members) + 1:
            there = f"{len(self.members) + 1} processes"
            raise ValueError(f"processes_per_trial must be that of the {there}, got {config.processes_per_trial}")
        leave()
        store = dist.TCPStore(self.host, 0, is_master=True, wait_for_workers=False, timeout=MEETING)
        whole = io.BytesIO()
        torch.save(state.content(), whole)
        answers = [
            call("begin", config.as_dict(), whole.getvalue(), selections, (self.host, store.port, rank))
            for rank, call in enumerate(self.members, start=1)
        ]
        with self.explaining(answers):
            group = joined(config, store, 0, self.device)
            for answer in answers:
                answer(MEETING.total_seconds())
        return group

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Inside, the other processes take part in one epoch."""
        answers = [call("epoch") for call in self.members]
        with self.explaining(answers):
            yield
            for answer in answers:
                answer(None)

    @contextlib.contextmanager
    def explaining(self, answers: Sequence[Answer]) -> Iterator[None]:
        """Replace the error of a broken connection by what happened to the process at its other end."""
        try:
            yield
        except Exception as error:
            leave()
            if not _of_connection(error):
                raise
            for answer in answers:
                try:
                    answer(ANSWER_S)
                except Exception as theirs:
                    if not _of_connection(theirs):
                        raise theirs from error
            raise LostProcess(f"a process of the trial was lost ({str(error).splitlines()[0]})") from error


def _of_connection(error: Exception) -> bool:
    """Whether an error tells of the way to another process and not of this one."""
    if isinstance(error, (dist.DistError, ConnectionError, EOFError)):
        return True
    ours = isinstance(error, (torch.OutOfMemoryError, torch.AcceleratorError))
    words = ("connection", "gloo", "nccl", "timed out", "process group")
    return isinstance(error, RuntimeError) and not ours and any(word in str(error).lower() for word in words)


def joined(config: TrialConfig, store: Any, rank: int, device: str) -> Group:
    """The group of all processes that meet at a store, once they are there."""
    size = config.processes_per_trial
    backend = "nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    dist.barrier()
    return Group(rank, size, exchange=config.select_from == "batch")


def leave() -> None:
    """Leave the group of an earlier trial, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


# ------------------------------------------------------------------------------------------ processes of this machine


@contextlib.contextmanager
def local_crew(data: Splits, device: str, processes: int) -> Iterator[Crew]:
    """A crew of this process and others on the same machine, which are ended with the block; one GPU for each."""
    check_devices(device, processes)
    context = torch.multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // processes)
    before, members, started = torch.get_num_threads(), list[Call](), list[Any]()
    torch.set_num_threads(threads)
    try:
        for rank in range(1, processes):
            ours, theirs = context.Pipe()
            where = f"cuda:{rank}" if device.startswith("cuda") else device
            process = context.Process(target=serve, args=(theirs, threads), daemon=True)
            process.start()
            theirs.close()
            ours.send((data, where))
            started.append(process)
            members.append(_caller(ours))
        yield Crew(members, device, "127.0.0.1")
    finally:
        leave()
        torch.set_num_threads(before)
        for process in started:
            process.kill()
            process.join()


def check_devices(device: str, processes: int) -> None:
    """ValueError unless each process has a GPU of its own, or all share the CPU."""
    there = torch.cuda.device_count() if device.startswith("cuda") else processes
    if there < processes or device == "mps":
        raise ValueError(f"processes_per_trial must be at most the {there} GPUs of this machine, got {processes}")


def serve(pipe: Connection, threads: int) -> None:
    """Do what comes through the pipe, and send back results and errors, until it is closed."""
    torch.set_num_threads(threads)
    with contextlib.suppress(EOFError, ConnectionError):
        data, device = pipe.recv()
        if device.startswith("cuda"):
            torch.cuda.set_device(device)
        member = Member(data, device)
        while True:
            name, arguments = pipe.recv()
            try:
                getattr(member, name)(*arguments)
                pipe.send(None)
            except Exception as error:
                traceback.print_exc()
                pipe.send(error)


def _caller(pipe: Connection) -> Call:
    def call(name: str, *arguments: Any) -> Answer:
        pipe.send((name, arguments))

        def answer(seconds: float | None) -> Any:
            if not pipe.poll(seconds):
                raise LostProcess(f"a process of the trial did not answer for {seconds:g} s")
            found = pipe.recv()
            if isinstance(found, Exception):
                raise found
            return found

        return answer

    return call
