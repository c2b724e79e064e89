"""PROVIDER_OVERRIDE_S3=private: LocalStack's S3, keeping its large objects below TMPDIR.

The stock one keeps them in /tmp/localstack-s3-storage whatever TMPDIR says: two stacks on one machine delete each
other's folders there, and a stack of another user cannot write to it.
"""
import os
import tempfile

from localstack.services.plugins import Service, aws_provider


@aws_provider(api="s3", name="private")
def s3():
    from localstack.services.s3.provider import S3Provider
    from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

    folder = os.path.join(tempfile.gettempdir(), "s3-objects")
    return Service.for_provider(S3Provider(storage_backend=EphemeralS3ObjectStore(folder)))
