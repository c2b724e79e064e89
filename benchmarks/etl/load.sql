-- A shop as large as the benchmark wants it: {customers} customers, {products} products, {each} ratings a customer, all pairs
-- distinct. bench.py fills in the braces. Needs the SEQUENCE engine of MariaDB.
drop table if exists ratings, products, customers;
create table customers(customerNumber {customerType} primary key, customerName varchar(50) not null, contactLastName varchar(50) not null,
 contactFirstName varchar(50) not null, phone varchar(50) not null, addressLine1 varchar(50) not null, addressLine2 varchar(50),
 city varchar(50) not null, state varchar(50), postalCode varchar(15), country varchar(50) not null,
 salesRepEmployeeNumber int, creditLimit decimal(10,2)) character set utf8mb4;
create table products(productCode {productType} primary key, productName varchar(70) not null, productLine varchar(50) not null,
 productScale varchar(10) not null, productVendor varchar(50) not null, productDescription text not null,
 quantityInStock smallint not null, buyPrice decimal(10,2) not null, MSRP decimal(10,2) not null, key(productLine)) character set utf8mb4;
create table ratings(customerNumber {customerType} not null, productCode {productType} not null, productRating tinyint not null,
 ratedAt datetime(3) not null, primary key(customerNumber, productCode), key(ratedAt)) character set utf8mb4;
insert into customers select {customer}, concat('Company ',md5(seq)), concat('Last',mod(seq*7919,5000)), concat('First',mod(seq*104729,3000)),
 concat('+1 ',lpad(mod(seq*7919,10000000000),10,'0')), concat(mod(seq,999),' Main Street'), if(mod(seq,3)=0,concat('Level ',mod(seq,40)),null),
 elt(1+mod(seq*31,24),'Paris','Madrid','Singapore','NYC','Las Vegas','Luleå','São Paulo','Boston','Nantes','London','Oslo','Lyon','Tokyo',
  'Berlin','Graz','Bergamo','Helsinki','Manchester','Salzburg','San Francisco','Cambridge','Melbourne','Brickhaven','Köln'),
 if(mod(seq,2)=0,elt(1+mod(seq,7),'CA','NY','MA','NV','PA','Victoria','NSW'),null), if(mod(seq,16)=0,null,lpad(mod(seq*7919,100000),5,'0')),
 elt(1+mod(seq*31,24),'France','Spain','Singapore','USA','USA','Sweden','Brazil','USA','France','UK','Norway','France','Japan',
  'Germany','Austria','Italy','Finland','UK','Austria','USA','USA','Australia','USA','Germany'),
 if(mod(seq,5)=0,null,1000+mod(seq,700)), if(mod(seq,11)=0,null,mod(seq*7919,150000)/100)
 from seq_1_to_{customers};
insert into products select {product}, concat(1900+mod(seq,120),' Model ',md5(seq)),
 elt(1+mod(seq*13,7),'Classic Cars','Motorcycles','Planes','Ships','Trains','Trucks and Buses','Vintage Cars'),
 elt(1+mod(seq*17,8),'1:10','1:12','1:18','1:24','1:32','1:50','1:72','1:700'), concat('Vendor ',mod(seq,13)),
 repeat(concat('This model has ',seq,' perfect details. '),10), mod(seq*7919,10000), 15+mod(seq*31,8800)/100, 30+mod(seq*37,19000)/100
 from seq_1_to_{products};
set unique_checks=0, foreign_key_checks=0;
insert into ratings
 select {ratingCustomer}, {ratingProduct}, 1+mod(c.seq*31+c.k*7+floor(c.p/3),5),
  timestamp('2024-01-01')+interval mod(c.seq*7919+c.k*1000003,63072000) second + interval mod(c.p*1000,1000000) microsecond
 from (select s.seq, t.seq k, 1+mod(s.seq*7919+t.seq*397,{products}) p from seq_1_to_{customers} s straight_join seq_0_to_{last} t) c;
analyze table customers, products, ratings;
