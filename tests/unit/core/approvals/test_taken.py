from doorward_core.approvals.taken import Taken

NS = 1_000_000_000


def test_a_grant_is_taken_while_its_requester_is_here(a_request):
    taken, request = Taken(), a_request()
    taken.hold(request)
    assert taken.held(request.id)
    assert taken.all() == {request.id}
    taken.leave(request.id)
    taken.leave(request.id)
    assert not taken.held(request.id)
    assert taken.all() == frozenset()


def test_what_was_used_stays_used_whoever_leaves(a_request):
    taken, request = Taken(), a_request()
    taken.hold(request)
    taken.use(request)
    taken.leave(request.id)
    assert taken.used(request.id)
    assert taken.all() == {request.id}


def test_each_is_remembered_until_a_grant_of_it_could_no_longer_be_used(a_request):
    taken, held, used = Taken(), a_request("ap-held"), a_request("ap-used")
    taken.hold(held)
    taken.use(used)
    last = held.expires_unix_ns + held.grant_s * NS
    taken.forget(last - 1)
    assert taken.all() == {held.id, used.id}
    taken.forget(last)
    assert taken.all() == frozenset()
