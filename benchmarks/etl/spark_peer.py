"""pyspark's JDBC source as a Glue job has it: two partitions, Connector/J streaming, dimensions broadcast, Parquet."""
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import broadcast

jar, host, port, user, password, database, low, high, columns, out = sys.argv[1:]
spark = (SparkSession.builder.master("local[2]").config("spark.jars", jar).config("spark.ui.enabled", "false")
         .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
         .config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "2g").getOrCreate())
base = dict(url=f"jdbc:mysql://{host}:{port}/{database}?useSSL=false&allowPublicKeyRetrieval=true&connectionTimeZone=UTC",
            driver="com.mysql.cj.jdbc.Driver", user=user, password=password, fetchsize="-2147483648")


def read(table, **options):
    return spark.read.format("jdbc").options(**base, dbtable=table, **options).load()


ratings = read("ratings", partitionColumn="customerNumber", lowerBound=low, upperBound=high, numPartitions=2)
customers = read("(select customerNumber, city, state, postalCode, country, creditLimit from customers) c")
products = read("(select productCode, productLine, productScale, quantityInStock, buyPrice, MSRP from products) p")
joined = ratings.join(broadcast(customers), "customerNumber").join(broadcast(products), "productCode")
joined.select(*[c.split(".")[-1] for c in columns.split(", ")]).write.mode("overwrite").parquet(out)
spark.stop()
